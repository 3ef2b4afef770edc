"""A patch regression as plain arrays: for stage i, the arrays `stage<i>_*`."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from .._array import astype_like, is_array, to_numpy
from .._typing import Array
from ..coding import encode
from ..estimators import SupervisedDictionaryRegressor
from ..losses.square import Square
from ..priors import ElasticNet
from ._stage import Stage
from ._stored_arrays import checked
from .patch_regressor import PatchRegressor
from .patches import as_pair, check_stride

_SIZES = ("patch_size", "output_size")
_OPTIONAL = ("linear", "window")


class StoredRegressor(RegressorMixin, BaseEstimator):
    """Linear model of sparse codes, and of the signals if `linear_coef_` is given, from arrays.

    It has the attributes of a fitted `SupervisedDictionaryRegressor` with an elastic net.
    """

    def __init__(self, components_, coef_, intercept_, prior_, linear_coef_=None):
        self.components_ = components_
        self.coef_ = coef_
        self.intercept_ = intercept_
        self.prior_ = prior_
        self.linear_coef_ = linear_coef_

    def transform(self, X: Array) -> Any:
        """Codes of signals."""
        return encode(X, astype_like(self.components_, X), prior=self.prior_).code

    def predict(self, X: Array) -> Any:
        """Predictions for signals."""
        scores = self.transform(X) @ astype_like(self.coef_, X).T
        if self.linear_coef_ is not None:
            scores = scores + X @ astype_like(self.linear_coef_, X).T
        return scores + astype_like(self.intercept_, X)


def arrays_of_regression(model):
    """Arrays of a fitted `PatchRegressor` by name."""
    arrays = {
        "stride": np.asarray(model._strides),
        "n_channels": np.asarray(model.n_channels_in_),
    }
    for i, stage in enumerate(model.stages_):
        arrays |= {f"stage{i}_{name}": value for name, value in _arrays_of(stage).items()}
    return arrays


def _arrays_of(stage):
    """Arrays of a stage by name."""
    regressor = stage.regressor
    if not _is_storable(regressor):
        raise ValueError(
            "model must have SupervisedDictionaryRegressor with an elastic net, square loss, and "
            f"otherwise default formulation in its stages to be stored, got {regressor!r}."
        )
    prior = regressor.prior_
    arrays = {
        "dictionary": regressor.components_,
        "coef": regressor.coef_,
        "intercept": regressor.intercept_,
        "linear": getattr(regressor, "linear_coef_", None),
        "window": stage.window,
        "lam": prior.lam,
        "lam2": prior.lam2,
        "positive": prior.positive,
        "patch_size": stage.patch_size,
        "output_size": stage.output_size,
        "n_targets": stage.n_targets,
        "center": stage.center,
    }
    return {
        name: to_numpy(value) if is_array(value) else np.asarray(value)
        for name, value in arrays.items()
        if value is not None
    }


def _is_storable(regressor):
    """Whether predictions are linear in the codes of elastic nets, and in the signals."""
    if isinstance(regressor, StoredRegressor):
        return True
    return (
        isinstance(regressor, SupervisedDictionaryRegressor)
        and isinstance(regressor.prior_, ElasticNet)
        and regressor.transfer == "linear"
        and regressor.head == "linear"
        and (regressor.loss in ("auto", "square") or isinstance(regressor.loss, Square))
        and not regressor.split_sign
        and not regressor.allow_nan
        and regressor.n_projected is None
        and regressor.max_residual is None
        and regressor.max_nonzeros is None
    )


def regression_from(arrays):
    """The `PatchRegressor` of arrays by name."""
    n_stages = 1
    while f"stage{n_stages}_dictionary" in arrays:
        n_stages += 1
    n_channels = int(arrays["n_channels"])
    stages = []
    for i in range(n_stages):
        start = f"stage{i}_"
        named = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        n_inputs = n_channels + (stages[0].n_targets if i else 0)
        stages.append(_stage_from(named, n_inputs))
    first = stages[0]
    model = PatchRegressor(
        patch_size=first.patch_size,
        output_patch_size=first.output_size,
        stride=tuple(arrays["stride"].tolist()),
        center=first.center,
        n_stages=n_stages,
        window="equal" if first.window is None else "precision",
    )
    model.stages_, model.n_channels_in_ = stages, n_channels
    check_stride(model._strides, first.output_size, "output_size")
    return model


def _stage_from(arrays, n_inputs):
    """A stage from its arrays, for images of so many channels."""
    lam = arrays["lam"]
    prior = ElasticNet(
        lam=lam if lam.ndim else float(lam),
        lam2=float(arrays["lam2"]),
        positive=bool(arrays["positive"]),
    )
    prior.check()
    sizes: Any = [as_pair(arrays[name].tolist(), name) for name in _SIZES]
    n_targets = int(arrays["n_targets"])
    (height, width), (inner_height, inner_width) = sizes
    n_features, n_outputs = height * width * n_inputs, inner_height * inner_width * n_targets
    n_atoms = len(arrays["dictionary"])
    prior.check_components(n_atoms)
    shapes = {
        "dictionary": (n_atoms, n_features),
        "coef": (n_outputs, n_atoms),
        "intercept": (n_outputs,),
        "linear": (n_outputs, n_features),
        "window": (inner_height, inner_width),
    }
    found = {
        name: None if name in _OPTIONAL and name not in arrays else checked(arrays, name, shape)
        for name, shape in shapes.items()
    }
    dictionary, coef, intercept, linear, window = found.values()
    if window is not None and not (window > 0).all():
        raise ValueError("its window must be above zero")
    regressor = StoredRegressor(dictionary, coef, intercept, prior, linear)
    return Stage(regressor, sizes[0], sizes[1], n_targets, bool(arrays["center"]), window)
