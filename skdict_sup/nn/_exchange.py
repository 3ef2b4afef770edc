"""Dictionaries to and from estimators, and the signals that reach a layer."""

from contextlib import suppress
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from .._array import to_numpy
from .._validation import check_scalar
from ..estimators import SparseCoder

HALF = torch.float16, torch.bfloat16


class _Seen(Exception):  # noqa: N818 - it ends a forward pass, and is no error
    """A layer has been reached, and the rest of the forward pass is not needed."""


def _check_input(layer, input, is_alone):
    """Raise unless a layer takes an input; say how to pass a model around the layer."""
    try:
        layer._check_input(input)
    except (TypeError, ValueError) as error:
        cure = " If this layer is within a model, pass the model as the second argument."
        raise type(error)(f"{error}{cure * is_alone}") from None


def signals_reaching(layer, data_loader, model, n_signals, rng):
    """Signals (n, n_features), in NumPy, that reach a layer from the batches of a loader.

    The model is in evaluation mode meanwhile: no layer of it learns from this pass.
    """
    check_scalar(n_signals, "n_signals", low=1, integer=True)
    parts, count = [], 0
    passed = layer if model is None else model
    trains = [m for m in passed.modules() if m.training] if hasattr(passed, "modules") else []

    def collect(_, inputs, keywords):
        nonlocal count
        input = inputs[0] if inputs else keywords["input"]
        _check_input(layer, input, is_alone=model is None)
        rows = layer._some_rows(input.detach(), n_signals - count, rng)
        parts.append(rows.float() if rows.dtype in HALF else rows)
        count += len(rows)
        raise _Seen

    hook = layer.register_forward_pre_hook(collect, with_kwargs=True)
    try:
        for module in trains:
            module.training = False
        for batch in data_loader:
            input = batch[0] if isinstance(batch, tuple | list) and len(batch) else batch
            if not isinstance(input, torch.Tensor):
                raise TypeError(
                    "data_loader must have tensors, or tuples whose first entry is one, got "
                    f"{type(input).__name__}."
                )
            with torch.no_grad(), suppress(_Seen):
                passed(input)
            if count >= n_signals:
                break
    finally:
        hook.remove()
        for module in trains:
            module.training = True
    if not count:
        reason = "" if model is None else ", or model does not call this layer"
        raise ValueError(
            f"data_loader must have a batch with signals for this layer, got none{reason}."
        )
    signals = torch.cat(parts)
    if not bool(torch.isfinite(signals).all()):
        raise ValueError(
            "data_loader must have finite signals for this layer, got NaN or infinity."
        )
    return to_numpy(signals)


def atoms_of(estimator):
    """Dictionary of an estimator, in NumPy."""
    atoms = getattr(estimator, "components_", getattr(estimator, "dictionary", None))
    if atoms is None:
        if hasattr(estimator, "fit") and not isinstance(estimator, type):
            raise TypeError(
                f"estimator must be fitted, got {type(estimator).__name__} without components_: "
                "call fit."
            )
        raise TypeError(
            "estimator must be a fitted estimator with a dictionary, such as "
            f"OnlineDictionaryLearning or SparseCoder, got {estimator!r}."
        )
    if getattr(estimator, "multi_class", "shared") == "ovr":
        raise ValueError(
            "estimator must have one dictionary for all classes, as with multi_class='shared'; "
            "got multi_class='ovr', whose codes over the dictionaries are separate."
        )
    if getattr(estimator, "n_projected", None) is not None:
        raise ValueError(
            "estimator must code its signals as they are, without n_projected: project them in a "
            "torch.nn.Linear, and make a layer from an estimator of the projected signals."
        )
    for name, attribute in (("standardise", "scale_"), ("fit_offset", "offset_components_")):
        if hasattr(estimator, attribute) and hasattr(estimator, name):
            raise ValueError(
                f"estimator must code its signals as they are, got one that was fitted with "
                f"{name}=True: fit it with {name}=False, to signals prepared by the layer before."
            )
    atoms = np.array(to_numpy(atoms))
    atoms = atoms if atoms.dtype.kind == "f" else atoms.astype(np.float64)
    longest = np.linalg.norm(atoms, axis=1).max()
    if longest > 1 + 1e-4:
        raise ValueError(
            "estimator must have atoms in the unit ball, as a layer has, got one of norm "
            f"{longest:.4g}: divide its dictionary by the norms of its atoms."
        )
    return atoms


def arguments_of(estimator, atoms) -> dict[str, Any]:
    """Arguments of a layer that an estimator with these atoms has too."""
    for name in ("max_residual", "max_nonzeros"):
        if getattr(estimator, name, None) is not None:
            raise ValueError(
                f"estimator must code with a weight lam, as a layer does, got "
                f"{name}={getattr(estimator, name)!r}: set it to None and give its prior a lam."
            )
    names = ("transfer", "solver", "tol", "max_iter", "n_jobs")
    if not isinstance(estimator, SparseCoder):
        names = ("transfer", "n_jobs")
    found: dict[str, Any] = {
        name: getattr(estimator, name) for name in names if hasattr(estimator, name)
    }
    found["prior"] = getattr(estimator, "prior_", getattr(estimator, "prior", "elastic_net"))
    return found | {"dtype": torch.as_tensor(atoms).dtype}


def estimator_of(layer, atoms, estimator):
    """SparseCoder with the atoms of a layer, or a copy of an estimator that starts from them."""
    atoms = np.array(to_numpy(atoms.float() if atoms.dtype in HALF else atoms))
    shared = {"prior": layer.prior_, "transfer": layer.transfer}
    if estimator is None:
        running = {name: getattr(layer, name) for name in ("solver", "tol", "max_iter", "n_jobs")}
        return SparseCoder(atoms, **shared, **running)
    is_object = hasattr(estimator, "get_params") and not isinstance(estimator, type)
    accepted = estimator.get_params(deep=False) if is_object else ()
    if "init" not in accepted:
        raise TypeError(
            "estimator must be None or have a parameter init, such as "
            f"SupervisedDictionaryClassifier(), got {estimator!r}."
        )
    if "transfer" not in accepted and shared.pop("transfer") != "linear":
        raise ValueError(
            f"estimator must have a parameter transfer for a layer with "
            f"transfer={layer.transfer!r}, got {estimator!r}."
        )
    copied: Any = clone(estimator)
    return copied.set_params(init=atoms, n_components=len(atoms), **shared)
