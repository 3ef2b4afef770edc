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
from ._stored_arrays import checked, count
from .patch_regressor import PatchRegressor
from .patches import as_pair

_SIZES = ("patch_size", "output_size")
_LEAST_WEIGHT = 1e-6  # a pixel has at least this weight, relative to the largest
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
        and not hasattr(regressor, "scale_")
        and not hasattr(regressor, "offset_components_")
        and regressor.max_residual is None
        and regressor.max_nonzeros is None
    )


def regression_from(arrays):
    """The `PatchRegressor` of arrays by name."""
    n_stages = 1
    while f"stage{n_stages}_dictionary" in arrays:
        n_stages += 1
    n_channels, stages = count(arrays, "n_channels"), []
    for i in range(n_stages):
        start = f"stage{i}_"
        named = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        stages.append(_stage_from(named, n_channels, 2 * n_channels if i else n_channels))
    first = stages[0]
    if any(_shape_of(stage) != _shape_of(first) for stage in stages):
        raise ValueError("its stages must have equal sizes")
    model = PatchRegressor(
        patch_size=first.patch_size,
        output_patch_size=first.output_size,
        stride=tuple(arrays["stride"].tolist()),
        center=first.center,
        n_stages=n_stages,
        window="equal" if first.window is None else "precision",
    )
    model.stages_, model.n_channels_in_ = stages, n_channels
    model._check_ranges()
    model._check_sizes()
    return model


def _shape_of(stage):
    return stage.patch_size, stage.output_size, stage.center


def _stage_from(arrays, n_targets, n_inputs):
    """A stage from its arrays, for images of so many channels."""
    for name, kinds in (("lam", "f"), ("lam2", "fiu"), ("positive", "b"), ("center", "b")):
        if arrays[name].dtype.kind not in kinds:
            raise ValueError(f"its {name} must be of another kind, got {arrays[name]!r}")
    lam = arrays["lam"]
    prior = ElasticNet(
        lam=lam if lam.ndim else float(lam),
        lam2=float(arrays["lam2"]),
        positive=bool(arrays["positive"]),
    )
    prior.check()
    sizes: Any = [as_pair(arrays[name].tolist(), name) for name in _SIZES]
    if count(arrays, "n_targets") != n_targets:
        raise ValueError(f"its n_targets must be {n_targets}, the number of channels")
    (height, width), (inner_height, inner_width) = sizes
    n_features, n_outputs = height * width * n_inputs, inner_height * inner_width * n_targets
    n_atoms = max(1, len(arrays["dictionary"]))
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
    if window is not None and not (window > _LEAST_WEIGHT * window.max()).all():
        raise ValueError("its window must be above zero")
    window = None if window is None else window / window.max()
    regressor = StoredRegressor(dictionary, coef, intercept, prior, linear)
    return Stage(regressor, sizes[0], sizes[1], n_targets, bool(arrays["center"]), window)
