"""Fitted estimators of images in files of plain arrays, which run nothing when they are loaded.

A file is an .npz archive of the arrays of a model and `metadata`, a text in JSON.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._files import unpacked_size, write_atomically
from ._estimator import ImageEstimator
from ._stored_arrays import as_json
from ._stored_regression import arrays_of_regression, regression_from
from ._stored_restorer import arrays_of_restorer, restorer_from
from .patch_regressor import PatchRegressor

_FORMAT = 1  # names and shapes of the arrays in a file
_MOST_BYTES = 2 * 2**30  # limit on the unpacked size


def save_model(path: Any, model: ImageEstimator, metadata: dict) -> None:
    """Write a fitted estimator of images to a file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        File to write.
    model : PatchRegressor, DictionaryDenoiser or DictionaryInpainter
        Fitted; a `PatchRegressor` has regressors that are linear in codes of elastic nets.
    metadata : dict
        What JSON can hold, such as the task and its settings; `load_model` returns it. The
        version of the package is added as "version"; "format" is reserved.

    Raises
    ------
    TypeError, ValueError
        If the model is no such estimator, or the metadata cannot be stored.
    """
    if not isinstance(model, ImageEstimator):
        raise TypeError(f"model must be an estimator of images, got {type(model).__name__}.")
    if not isinstance(metadata, dict) or "format" in metadata:
        raise TypeError(f'metadata must be a dict without the key "format", got {metadata!r}.')
    check_is_fitted(model)
    about = {**metadata, "version": __version__, "format": _FORMAT}
    arrays_of = arrays_of_regression if isinstance(model, PatchRegressor) else arrays_of_restorer
    arrays = {"metadata": np.asarray(as_json(about, "metadata")), **arrays_of(model)}

    def write(part):
        with open(part, "wb") as file:  # given a path, NumPy would append .npz
            np.savez(file, **arrays)

    write_atomically(Path(path), write)


def load_model(path: Any) -> tuple[ImageEstimator, dict]:
    """The model and the metadata that `save_model` has written.

    Parameters
    ----------
    path : str or Path
        File to read.

    Returns
    -------
    tuple of estimator and dict
        The model restores images as the stored one did, up to rounding; `fit` would learn anew.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is no such file, or a damaged one.
    """
    if Path(path).exists() and not Path(path).is_file():
        raise ValueError("not a regular file")  # reading a pipe would block
    with open(path, "rb") as file:
        try:
            return _model_from(_read(file))
        except Exception as error:  # damaged files raise anything, from zlib.error to SyntaxError
            reason = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            reason = " ".join(reason.split()) or type(error).__name__
            raise ValueError(f"not a stored model of images ({reason})") from None


def _read(file):
    """Arrays of an open archive by name."""
    size = unpacked_size(file)
    if size > _MOST_BYTES:
        raise ValueError(f"it unpacks to {size / 2**30:.1f} GiB, more than 2 GiB")
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _model_from(arrays):
    """The model and the metadata of arrays by name."""
    metadata = json.loads(str(arrays["metadata"]))
    if not isinstance(metadata, dict) or metadata.get("format") != _FORMAT:
        raise ValueError(f"its format is not {_FORMAT}, which version {__version__} reads")
    del metadata["format"]
    return (restorer_from if "kind" in arrays else regression_from)(arrays), metadata
