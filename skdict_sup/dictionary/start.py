"""Where learning starts: first atoms, the prior resolved, a dictionary learned without labels."""

from dataclasses import replace

import numpy as np

from .._array import astype_like, to_numpy
from .._linalg import project_ball
from .._validation import check_matrix, check_option, warn
from ..priors import weight_of
from ..problem import resolve_prior
from .initialise import INITS, initial_dictionary
from .learner import learn_unlabelled, learner_of

_JUDGES = 1000  # signals, at most, that a large lam is warned of by
_NEARLY_ALL = 0.9
_ALL_SEEN = 30_000  # signals that n_epochs="auto" shows
_MOST_EPOCHS = 20  # of n_epochs="auto"


def first_atoms(X, init, n_components, rng, positive=False):
    """Atoms to start from: made of the signals by a method's name, or given as an array."""
    if init is None or isinstance(init, str):
        check_option(init, "init", set(INITS))
        return initial_dictionary(X, n_components, init, rng, positive)
    dictionary = check_matrix(init, "init")
    expected = (n_components, X.shape[1])
    if tuple(dictionary.shape) != expected:
        raise ValueError(
            f"init must be one of {sorted(INITS)} or an array of shape (n_components, "
            f"n_features) = {expected}, got shape {tuple(dictionary.shape)}."
        )
    return project_ball(astype_like(dictionary, X.like), positive)


def resolved_prior(prior, X, dictionary):
    """Prior with what is "auto" resolved; warns if lam makes nearly all codes zero."""
    prior = resolve_prior(prior, X, dictionary)
    lam = weight_of(prior, 0.0)
    if lam > 0:
        _warn_of_zero_codes(prior, lam, X, dictionary)
    return prior


def _warn_of_zero_codes(prior, lam, X, dictionary):
    signals = X.rows(slice(None, None, -(-X.shape[0] // _JUDGES)))
    tops = to_numpy(prior.lam_max(signals @ dictionary.T)).astype(float)
    tops = tops[tops > 0]  # codes of signals of zero are zero for any lam
    zero = (tops <= lam).mean() if len(tops) else 0.0
    if zero < _NEARLY_ALL:
        return
    median = float(np.median(tops))
    warn(
        f"lam={lam:.4g} makes {zero:.0%} of the training codes zero: codes are zero from lam_max "
        f"upwards, whose median is {median:.4g}. lam='auto' would be "
        f"{prior.automatic(median)['lam']:.4g}."
    )


def unlabelled_start(X, settings, rng, *, init, n_components, n_epochs, verbose=False):
    """Dictionary learned from signals alone, and the prior with what is "auto" resolved.

    `n_epochs` passes over the signals; "auto" shows some 30 000, or none if init is an array.
    """
    dictionary = first_atoms(X, init, n_components, rng, settings.positive_dictionary)
    settings = replace(settings, prior=resolved_prior(settings.prior, X, dictionary))
    if n_epochs == "auto":
        n_passes = int(min(_MOST_EPOCHS, max(1, -(-_ALL_SEEN // X.shape[0]))))
        n_epochs = n_passes if isinstance(init, str) else 0
    learner = learner_of(settings.reconstruction)
    passes = learn_unlabelled(X, learner.start(dictionary), settings, n_epochs, rng)
    for number, (state, objective) in enumerate(passes, start=1):
        dictionary = learner.published(state, settings)
        if verbose:
            print(f"init {number}/{n_epochs}: objective {objective:.6g}", flush=True)
    return dictionary, settings.prior
