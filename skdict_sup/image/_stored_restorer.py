"""A dictionary of patches with the parameters of its estimator as plain arrays."""

import json

import numpy as np

from .._array import to_numpy
from ._stored_arrays import as_json, checked, count
from .dictionary_denoiser import DictionaryDenoiser
from .dictionary_inpainter import DictionaryInpainter
from .patches import as_pair, check_stride

_KINDS = {cls.__name__: cls for cls in (DictionaryDenoiser, DictionaryInpainter)}


def arrays_of_restorer(model):
    """Arrays of a fitted `DictionaryDenoiser` or `DictionaryInpainter` by name."""
    parameters = model.get_params() | {"random_state": None}
    return {
        "kind": np.asarray(type(model).__name__),
        "parameters": np.asarray(as_json(parameters, "parameters of the model")),
        "dictionary": to_numpy(model.components_),
        "patch_size": np.asarray(model.patch_size_),
        "n_channels": np.asarray(model.n_channels_in_),
    }


def restorer_from(arrays):
    """The estimator of arrays by name."""
    kind = str(arrays["kind"])
    if kind not in _KINDS:
        raise ValueError(f"its kind is {kind!r}, not one of {', '.join(sorted(_KINDS))}")
    model = _KINDS[kind](**json.loads(str(arrays["parameters"])))
    model.patch_size_ = as_pair(arrays["patch_size"].tolist(), "patch_size")
    model.n_channels_in_ = count(arrays, "n_channels")
    model._check_ranges()
    check_stride(as_pair(model.stride, "stride"), model.patch_size_)
    n_features = model.patch_size_[0] * model.patch_size_[1] * model.n_channels_in_
    n_atoms = max(1, len(arrays["dictionary"]))
    model.components_ = checked(arrays, "dictionary", (n_atoms, n_features))
    return model
