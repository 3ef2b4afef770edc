"""Initial state of supervised learning: an unsupervised dictionary and its optimal head."""

from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace
from .._signals import as_signals
from ..dictionary.initialise import initial_projection
from ..dictionary.online import OnlineSettings
from ..dictionary.start import learn_initial_dictionary
from . import passes
from .head_fit import fit_head, tune_ridge
from .step import initial_state, zero_head


@dataclass(frozen=True, eq=False)
class StartOptions:
    """Options of the initial state, as in the parameters of the estimators."""

    n_components: int
    n_projected: int | None = None
    init: Any = "data"
    init_max_iter: Any = "auto"
    nu: Any = "auto"
    verbose: int = 0


def initial_state_and_settings(samples, settings, options, rng, *, stream=False):
    """Initial state, and settings with prior, nu and scales resolved.

    In a stream, a small ridge on the intercepts keeps classes learnable that are absent from the
    first samples.
    """
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
        init=options.init,
        n_components=options.n_components,
        n_epochs=options.init_max_iter,
        verbose=options.verbose > 1,
    )
    settings = replace(settings, prior=prior)
    # all blocks start from the same dictionary, and training makes them differ
    blocks = [dictionary] * settings.n_blocks
    dictionary = namespace(dictionary).concat(blocks, axis=0) if len(blocks) > 1 else dictionary
    parameters["dictionary"] = dictionary
    n_outputs = samples.encode_labels(samples.labels[:1]).shape[1]
    head = zero_head(dictionary, n_outputs, settings, samples.X.shape[1])
    settings = passes.resolve_scales(settings, parameters, samples, rng, options.nu)
    if options.nu == "auto" and not stream:
        settings = tune_ridge(parameters | head, samples, settings, rng)
    ridge = 1 / float(samples.weight.sum()) if stream else 0.0
    return fit_head(initial_state(parameters | head), samples, settings, rng, ridge), settings


def _unlabelled_settings(settings):
    """Settings of the unsupervised start."""
    return OnlineSettings(
        settings.reconstruction,
        settings.prior,
        settings.solver,
        positive_dictionary=settings.positive_dictionary,
        n_jobs=settings.n_jobs,
    )
