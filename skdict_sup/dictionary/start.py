"""Initial dictionaries: initial atoms, the resolved prior, and unsupervised pre-training."""

from dataclasses import replace

import numpy as np

from .._array import astype_like, to_numpy
from .._linalg import project_ball
from .._validation import check_matrix, check_option, warn
from ..priors import is_per_atom, weight_of
from ..problem import resolve_prior
from .initialise import INITS, initial_dictionary
from .learner import learn_unlabelled, method_for

_MAX_CHECKED = 1000  # signals, at most, on which a too large lam is detected
_WARNING_FRACTION = 0.9  # fraction of zero codes that leads to a warning
_AUTO_SIGNALS = 30_000  # signals that are processed with n_epochs="auto"
_MAX_AUTO_EPOCHS = 20  # epochs with n_epochs="auto", at most


class ZeroCodesWarning(UserWarning):
    """The weight lam makes nearly all codes zero."""


def initial_atoms(X, init, n_components, rng, positive=False):
    """Initial atoms: computed from the signals by a named method, or given as an array."""
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


def resolved_prior(prior, X, dictionary, reconstruction):
    """Prior with "auto" resolved on the signals; warns if lam makes nearly all codes zero."""
    prior = resolve_prior(prior, X, dictionary, reconstruction)
    if weight_of(prior, 0.0) > 0:
        _warn_of_zero_codes(prior, X, dictionary)
    return prior


def _warn_of_zero_codes(prior, X, dictionary):
    """Warn if lam makes nearly all codes zero."""
    signals = X.rows(slice(None, None, -(-X.shape[0] // _MAX_CHECKED)))
    lam_max_values = to_numpy(prior.lam_max(signals @ dictionary.T)).astype(float)
    # the code of a zero signal is zero for any lam
    lam_max_values = lam_max_values[lam_max_values > 0]
    lam = 1.0 if is_per_atom(prior.lam) else prior.lam  # lam_max of an array is a factor
    zero_fraction = (lam_max_values <= lam).mean() if len(lam_max_values) else 0.0
    if zero_fraction < _WARNING_FRACTION:
        return
    median = float(np.median(lam_max_values))
    if is_per_atom(prior.lam):
        warn(
            f"lam, an array with entries up to {weight_of(prior):.4g}, makes {zero_fraction:.0%} "
            f"of the training codes zero; the median code is zero until lam is multiplied by "
            f"{median:.4g}.",
            ZeroCodesWarning,
        )
        return
    warn(
        f"lam={lam:.4g} makes {zero_fraction:.0%} of the training codes zero: codes are zero from "
        f"lam_max upwards, whose median is {median:.4g}. lam='auto' would be "
        f"{prior.automatic(median)['lam']:.4g}.",
        ZeroCodesWarning,
    )


def learn_initial_dictionary(X, settings, rng, *, init, n_components, n_epochs, verbose=False):
    """Dictionary learned without labels, and the prior with "auto" resolved.

    With `n_epochs="auto"`, about 30 000 signals are processed, or none if init is an array.
    """
    dictionary = initial_atoms(X, init, n_components, rng, settings.positive_dictionary)
    prior = resolved_prior(settings.prior, X, dictionary, settings.reconstruction)
    settings = replace(settings, prior=prior)
    if n_epochs == "auto":
        auto_epochs = int(min(_MAX_AUTO_EPOCHS, max(1, -(-_AUTO_SIGNALS // X.shape[0]))))
        n_epochs = auto_epochs if isinstance(init, str) else 0
    method = method_for(settings.reconstruction)
    passes = learn_unlabelled(X, method.initial_state(dictionary), settings, n_epochs, rng)
    for number, (state, objective) in enumerate(passes, start=1):
        dictionary = method.current_dictionary(state, settings)
        if verbose:
            print(f"init {number}/{n_epochs}: objective {objective:.6g}", flush=True)
    return dictionary, settings.prior
