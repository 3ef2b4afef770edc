"""What is done with learned parameters: scores of signals, and signals of codes.

Parameters are mappings of names to arrays, in the units of signals and targets.
"""

from typing import Any

from .._array import astype_like, namespace, to_numpy
from .._atoms import Atoms
from .._threads import slices
from . import coding_layer, heads
from .step import features_of

_ROWS_AT_ONCE = 4096  # codes that a head turns into scores at a time


def in_data_units(state, settings, targets):
    """Parameters by name, those of the head in the units of signals and targets.

    The intercept is flat.
    """
    xp, parameters = namespace(state.dictionary), dict(state.parameters)
    bilinear = isinstance(settings.head, heads.BilinearHead)
    scale = settings.code_scale * (settings.signal_scale if bilinear else 1.0)
    parameters["coef"] = parameters["coef"] / scale
    parameters["intercept"] = xp.reshape(parameters["intercept"], (-1,))
    if "linear" in parameters:
        parameters["linear"] = parameters["linear"] / settings.signal_scale
    return targets.in_units(parameters)


def scores_of(parameters, X, settings):
    """Scores (n_samples, n_outputs) of signals, for parameters in the units of the data."""
    code, head = coding_layer.encoded(parameters, X, settings).code, settings.head
    features = features_of(code, settings.prior, settings.split_sign)
    parameters = parameters | {"intercept": parameters["intercept"][:, None]}
    parts = [
        head.scores(parameters, features[rows, :], X.batch(rows) if head.sees_signals else None)
        for rows in slices(X.shape[0], _ROWS_AT_ONCE)
    ]
    return namespace(features).concat(parts, axis=0)


def score_of(samples, state, settings, targets):
    """Score of samples, as users know it: accuracy or R2."""
    parameters = in_data_units(state, settings, targets)
    scores = to_numpy(scores_of(parameters, samples.X, settings))
    return float(targets.score(scores, samples.labels, samples.weight))


def signals_of(code, parameters, settings):
    """Signals of codes: means over the dictionaries, and least squares behind a projection."""
    dictionary, n_blocks = parameters["dictionary"], settings.n_blocks
    n_atoms = dictionary.shape[0]
    parts: Any = [
        settings.reconstruction.reconstruct(code[:, part], Atoms(dictionary[part, :]))
        for part in slices(n_atoms, n_atoms // n_blocks)
    ]
    signals = parts[0] if n_blocks == 1 else sum(parts) / n_blocks
    if "projection" in parameters:
        xp = namespace(signals)
        signals = signals @ xp.linalg.pinv(astype_like(parameters["projection"], signals)).T
    return signals
