"""Initial state of supervised learning: an unsupervised dictionary and its optimal head."""

from dataclasses import dataclass, replace
from typing import Any

from .._array import astype_like, namespace
from .._prepared_signals import fit_preparation
from .._signals import as_signals
from ..dictionary.initialise import initial_projection
from ..dictionary.online import OnlineSettings
from ..dictionary.start import learn_initial_dictionary
from . import passes
from .head_choice import N_FOLDS, tune_head
from .head_fit import fit_head, fit_trial_head
from .step import initial_state, zero_head

_FEW = 200  # samples up to which a trial holds out all folds in turn, as a fit does


@dataclass(frozen=True, eq=False)
class StartOptions:
    """Options of the initial state, as in the parameters of the estimators."""

    n_components: int
    n_projected: int | None = None
    init: Any = "data"
    init_max_iter: Any = "auto"
    nu: Any = "auto"
    fit_linear: bool | str = False
    verbose: int = 0


def initial_state_and_settings(samples, settings, options, rng, *, stream=False):
    """Initial state, and settings with prior, nu, linear path and scales resolved.

    In a stream nothing is chosen on held-out samples, and a small ridge on the intercepts keeps
    classes learnable that are absent from the first samples.
    """
    state, settings = _unfitted(samples, settings, options, rng, 0 if stream else N_FOLDS)
    ridge = 1 / float(samples.weight.sum()) if stream else 0.0
    return fit_head(state, samples, settings, rng, ridge), settings


def trial_state_and_settings(samples, settings, options, rng):
    """As `initial_state_and_settings`, with a head near the optimal one, for a trial training."""
    n_folds = N_FOLDS if samples.n_samples <= _FEW else 1
    state, settings = _unfitted(samples, settings, options, rng, n_folds)
    return fit_trial_head(state, samples, settings, rng), settings


def _unfitted(samples, settings, options, rng, n_folds):
    """State with a zero head, and settings: those of the best head, tuned on at most `n_folds`."""
    parameters, settings = _dictionary_and_settings(samples, settings, options, rng)
    if n_folds:
        is_open = {"ridge": options.nu == "auto", "linear": options.fit_linear == "auto"}
        settings = tune_head(parameters, samples, settings, rng, n_folds, **is_open)
    head = zero_head(
        parameters["dictionary"],
        samples.encode_labels(samples.labels[:1]).shape[1],
        settings,
        samples.X.shape[1],
    )
    return initial_state(parameters | head), settings


def _dictionary_and_settings(samples, settings, options, rng):
    """Dictionary learned without labels, with a projection if there is one, and settings."""
    signals = samples.X if samples.pool is None else samples.pool
    parameters, projected = {}, signals
    if options.n_projected is not None:
        projection = initial_projection(signals, options.n_projected, rng)
        parameters["projection"] = projection
        projected = as_signals(signals @ projection.T)
    dictionary, prior = learn_initial_dictionary(
        projected,
        _unlabelled_settings(settings),
        rng,
        init=extended_atoms(options.init, settings, signals.like),
        n_components=options.n_components,
        n_epochs=options.init_max_iter,
        verbose=options.verbose > 1,
    )
    # all blocks start from the same dictionary, and training makes them differ
    blocks = [dictionary] * settings.n_blocks
    dictionary = namespace(dictionary).concat(blocks, axis=0) if len(blocks) > 1 else dictionary
    parameters["dictionary"] = dictionary
    settings = replace(settings, prior=prior)
    return parameters, passes.resolve_scales(settings, parameters, samples, rng, options.nu)


def prepared_for(samples, settings, standardise, offset):
    """Settings with a preparation that is fitted to the signals of samples."""
    is_pool = samples.pool is not None
    signals = samples.pool if is_pool else samples.X
    weight = [1.0] * signals.shape[0] if is_pool else samples.weight
    preparation = fit_preparation(
        signals, weight, standardise=standardise, offset=offset, centred=not signals.is_sparse
    )
    return replace(settings, preparation=preparation)


def extended_atoms(init, settings, like):
    """Initial atoms of a user, with zero for the constant feature if there is one."""
    n_added = 0 if settings.preparation is None else settings.preparation.n_added
    if isinstance(init, str) or init is None or not n_added:
        return init
    init = astype_like(init, like)
    xp = namespace(init)
    return xp.concat([init, xp.zeros_like(init[:, :1])], axis=1)


def _unlabelled_settings(settings):
    """Settings of the unsupervised start."""
    return OnlineSettings(
        settings.reconstruction,
        settings.prior,
        settings.solver,
        positive_dictionary=settings.positive_dictionary,
        n_jobs=settings.n_jobs,
    )
