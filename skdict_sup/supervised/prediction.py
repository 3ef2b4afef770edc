"""Prediction with learned parameters: scores of signals, and reconstruction from codes.

Parameters are mappings of names to arrays, in the units of the data (signals and targets).
"""

from typing import Any

from .._array import astype_like, namespace, to_numpy
from .._atoms import Atoms
from .._prepared_signals import source_of
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
        if settings.preparation is not None:
            linear, shift = settings.preparation.linear_in_data_units(parameters["linear"])
            parameters |= {"linear": linear, "intercept": parameters["intercept"] + shift}
    return targets.to_data_units(parameters)


def predict_scores(parameters, X, settings):
    """Scores of prepared signals, (n_samples, n_outputs), for parameters in units of the data."""
    return _join([settings.head.scores(*part) for part in _head_inputs(parameters, X, settings)])


def predict_contributions(parameters, X, settings):
    """Parts of the scores of prepared signals, for parameters in units of the data.

    Those of the atoms, (n_samples, n_outputs, n_atoms), of the linear path, (n_samples, n_outputs)
    or None, and of the intercept, (n_outputs,).
    """
    head, inputs = settings.head, _head_inputs(parameters, X, settings)
    atoms = _join([head.contributions(*part) for part in inputs])
    if settings.split_sign:  # both halves of a code belong to one atom
        n_atoms = atoms.shape[2] // 2
        atoms = atoms[:, :, :n_atoms] + atoms[:, :, n_atoms:]
    linear = [head.linear_scores(parameters, X) for parameters, _, X in inputs]
    return atoms, _join(linear) if head.skip else None, parameters["intercept"]


def _head_inputs(parameters, X, settings):
    """Arguments of the methods of a head, for some rows of prepared signals at once: a list."""
    code, head = coding_layer.encode(parameters, X, settings).code, settings.head
    features = code_features(code, settings.prior, settings.split_sign)
    parameters = parameters | {"intercept": parameters["intercept"][:, None]}
    X = source_of(X)  # the linear path is in the units of the data
    return [
        (parameters, features[rows, :], X.rows(rows) if head.uses_signals else None)
        for rows in slices(X.shape[0], _ROWS_AT_ONCE)
    ]


def _join(parts):
    """Rows of several arrays as one array."""
    return namespace(parts[0]).concat(parts, axis=0)


def scores_of(samples, state, settings, targets):
    """Scores of samples in units of the data, in host memory."""
    parameters = to_data_units(state, settings, targets)
    return to_numpy(predict_scores(parameters, samples.X, settings))


def evaluate(samples, state, settings, targets):
    """Accuracy or R2 of predictions on samples."""
    scores = scores_of(samples, state, settings, targets)
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
    return signals if settings.preparation is None else settings.preparation.invert(signals)
