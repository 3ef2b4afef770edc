"""Where supervised learning starts: a dictionary learned without labels, the best head on it."""

from dataclasses import dataclass, replace
from typing import Any

from .._array import namespace
from .._signals import as_signals
from ..dictionary.initialise import initial_projection
from ..dictionary.online import OnlineSettings
from ..dictionary.start import unlabelled_start
from . import passes
from .head_fit import first_head, with_chosen_ridge
from .step import start, zero_head


@dataclass(frozen=True, eq=False)
class StartOptions:
    """What a start is made of; "auto" as in the parameters of estimators."""

    n_components: int
    n_projected: int | None = None
    init: Any = "data"
    init_max_iter: Any = "auto"
    nu: Any = "auto"
    verbose: int = 0


def first_state(samples, settings, options, rng, *, stream=False):
    """State and settings to begin with: the prior, nu and the scales are resolved in them.

    In a stream the samples are the first ones only: a small ridge on the intercepts then keeps
    classes learnable that are absent from them.
    """
    signals = samples.X if samples.pool is None else samples.pool
    parameters, projected = {}, signals
    if options.n_projected is not None:
        projection = initial_projection(signals, options.n_projected, rng)
        parameters["projection"] = projection
        projected = as_signals(signals @ projection.T)
    dictionary, prior = unlabelled_start(
        projected,
        _without_labels(settings),
        rng,
        init=options.init,
        n_components=options.n_components,
        n_epochs=options.init_max_iter,
        verbose=options.verbose > 1,
    )
    settings = replace(settings, prior=prior)
    # one dictionary for each block begins as the same; their tasks draw them apart
    blocks = [dictionary] * settings.n_blocks
    dictionary = namespace(dictionary).concat(blocks, axis=0) if len(blocks) > 1 else dictionary
    parameters["dictionary"] = dictionary
    n_outputs = samples.target_of(samples.labels[:1]).shape[1]
    head = zero_head(dictionary, n_outputs, settings, samples.X.shape[1])
    settings = passes.scale_settings(settings, parameters, samples, rng, options.nu)
    if options.nu == "auto" and not stream:
        settings = with_chosen_ridge(parameters | head, samples, settings, rng)
    ridge = 1 / float(samples.weight.sum()) if stream else 0.0
    return first_head(start(parameters | head), samples, settings, rng, ridge), settings


def _without_labels(settings):
    """Settings of learning from signals alone."""
    return OnlineSettings(
        settings.reconstruction,
        settings.prior,
        settings.solver,
        positive_dictionary=settings.positive_dictionary,
        n_jobs=settings.n_jobs,
    )
