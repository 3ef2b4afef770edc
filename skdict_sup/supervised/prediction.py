"""Prediction with learned parameters: scores of signals, and reconstruction from codes.

Parameters are mappings of names to arrays, in the units of the data (signals and targets).
"""

from typing import Any

from .._array import astype_like, namespace, to_numpy
from .._atoms import Atoms
from .._threads import slices
from . import coding_layer, heads
from .step import code_features

_ROWS_AT_ONCE = 4096  # codes per call of the head, to bound memory


def to_data_units(state, settings, targets):
    """Parameters by name, with the head in the units of the data and a flat intercept."""
    xp, parameters = namespace(state.dictionary), dict(state.parameters)
    bilinear = isinstance(settings.head, heads.BilinearHead)
    scale = settings.code_scale * (settings.signal_scale if bilinear else 1.0)
    parameters["coef"] = parameters["coef"] / scale
    parameters["intercept"] = xp.reshape(parameters["intercept"], (-1,))
    if "linear" in parameters:
        parameters["linear"] = parameters["linear"] / settings.signal_scale
    return targets.to_data_units(parameters)


def predict_scores(parameters, X, settings):
    """Scores of signals, (n_samples, n_outputs), for parameters in the units of the data."""
    code, head = coding_layer.encode(parameters, X, settings).code, settings.head
    features = code_features(code, settings.prior, settings.split_sign)
    parameters = parameters | {"intercept": parameters["intercept"][:, None]}
    parts = [
        head.scores(parameters, features[rows, :], X.rows(rows) if head.uses_signals else None)
        for rows in slices(X.shape[0], _ROWS_AT_ONCE)
    ]
    return namespace(features).concat(parts, axis=0)


def evaluate(samples, state, settings, targets):
    """Accuracy or R2 of predictions on samples."""
    parameters = to_data_units(state, settings, targets)
    scores = to_numpy(predict_scores(parameters, samples.X, settings))
    return float(targets.score(scores, samples.labels, samples.weight))


def reconstruct(code, parameters, settings):
    """Signals reconstructed from codes.

    Reconstructions over several dictionaries are averaged, and a projection is inverted by least
    squares.
    """
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
