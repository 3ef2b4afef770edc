"""`fit`: learning from dask arrays, on one machine out of core or on a cluster."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from .._array import is_dask
from .._validation import check_scalar, warn
from ..dictionary._stream import SHARD
from ..estimators import (
    OnlineDictionaryLearning,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
)
from . import _cluster, _dask
from ._checkpoint import Checkpoints, identity_of
from ._source import Rows, rows_of
from .supervised import fit_supervised
from .unsupervised import fit_online

_SUPERVISED = SupervisedDictionaryClassifier, SupervisedDictionaryRegressor
_SHARDS = 8  # shards of a mini-batch by default
# a model of rounds: seconds for each, for each byte of the state, and for the gradient of one
# signal of one feature over one atom on one core; they fit rounds of 16 384 signals by one and two
# local processes in docs/results/scale.md, with labels (300 atoms) and without (100)
_ROUND_SECONDS, _BYTE_SECONDS, _SIGNAL_SECONDS = 0.1, 1e-8, 4.2e-11


def fit(  # noqa: PLR0913 - keyword-only settings
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    classes: Any = None,
    batch_size: int | None = None,
    shard: int = SHARD,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
) -> Any:
    """Fit an estimator to a dask array, by all workers of a cluster or out of core.

    Mini-batches are divided into shards of neighbouring rows. Tasks compute what each contributes,
    which is added in the order of the shards: the result depends on `batch_size` and `shard`, but
    not on the blocks of X, on workers, or on tasks that have to be repeated. With the default
    shard, :class:`~skdict_sup.OnlineDictionaryLearning` learns what one pass of its `partial_fit`
    over the same rows learns on one machine, bit for bit, from the same first atoms.

    Parameters
    ----------
    estimator : OnlineDictionaryLearning, SupervisedDictionaryClassifier or Regressor
        Estimator, with the parameters of its own `fit`. A first pass of OnlineDictionaryLearning
        takes the rows in their order, later ones the mini-batches in random order (without
        shuffle=False); supervised ones always do. Rows within a mini-batch stay neighbours.
    X : dask array of shape (n_samples, n_features)
        Signals, in NumPy or SciPy CSR blocks of known sizes, or an array that dask reads.
    y : dask array or array of shape (n_samples,) or (n_samples, n_outputs), or None
        Targets, for supervised estimators. With `mu` above 0, samples without a label (-1 or NaN)
        may be anywhere.
    sample_weight : dask array or array of shape (n_samples,) or None, default=None
        Weights of the samples, for supervised estimators only.
    classes : array-like of shape (n_classes,) or None, default=None
        All classes, for the classifier only; None finds them in y.
    batch_size : int or None, default=None
        Signals between two updates. None is that of the estimator if it is a number of at least 8
        shards, else 8 shards (16 384 signals): rounds of the default 256 would wait for the
        network.
    shard : int, default=2048
        Signals of one task.
    checkpoint : path or None, default=None
        Folder for what the fit needs to go on; a fit that finds it there goes on, with the same
        result as a fit without interruption. Files are pickles: read only your own.
    checkpoint_every : int, default=100
        Mini-batches between checkpoints; there is one after each pass, too.

    Returns
    -------
    object
        The estimator, fitted, as after its own `fit`.

    Raises
    ------
    TypeError, ValueError
        For parameters and data as `fit` of the estimator; for weights or classes that it has no
        use for; if the checkpoint is that of another fit.

    Warns
    -----
    UserWarning
        If a batch is so small that workers would mostly wait, or a checkpoint cannot be written.

    Notes
    -----
    Callbacks of scikit-learn that a supervised estimator has are called for the fit, its passes
    ("epoch") and their mini-batches ("batch"); within a pass, they see the estimator of the last
    whole pass. One that returns True after a batch or a pass stops the fit.

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
    coding", JMLR 2010, section 3.4 (mini-batches);
    J. Mairal, "Backpropagation rules for sparse coding", "Main result".

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import OnlineDictionaryLearning, parallel
    >>> X, _ = load_digits(return_X_y=True)
    >>> learner = OnlineDictionaryLearning(20, max_iter=2, random_state=0)
    >>> learner = parallel.fit(learner, da.from_array(X, chunks=(500, 64)), batch_size=512)
    >>> learner.components_.shape
    (20, 64)
    """
    is_supervised = isinstance(estimator, _SUPERVISED)
    if not is_supervised and not isinstance(estimator, OnlineDictionaryLearning):
        cure = "others learn from a part of the signals in memory, by their own fit."
        if isinstance(estimator, Pipeline):
            cure = (
                "fit the steps before the last one to a part of the signals, and the last one by "
                "parallel.fit(pipeline[-1], parallel.transform(pipeline[:-1], X), ...)."
            )
        raise TypeError(
            "estimator must be an OnlineDictionaryLearning or a supervised estimator, got "
            f"{type(estimator).__name__}: {cure}"
        )
    shard = int(check_scalar(shard, "shard", low=1, integer=True))
    check_scalar(checkpoint_every, "checkpoint_every", low=1, integer=True)
    batch_size = _batch_size(batch_size, estimator.batch_size, shard)
    X = _dask.whole_rows(X)
    rows = Rows(X, "X")
    if not X.shape[0]:
        raise ValueError(f"X must have at least one row to be learned from, got shape {X.shape}.")
    if getattr(estimator, "warm_start", False) and hasattr(estimator, "_training"):
        raise ValueError(
            "warm_start must be False in parallel.fit, which begins from scratch or from a "
            "checkpoint, got warm_start=True in a fitted estimator: use its own fit, or a clone."
        )
    checkpoints = None
    if checkpoint is not None:
        more = {"n_samples": X.shape[0], "n_features": X.shape[1], "dtype": str(X.dtype)}
        more |= {"mini-batch": batch_size, "shard": shard}
        # further passes go on from the last one where the first do not depend on their number
        free = ("n_jobs", "verbose") if is_supervised else ("n_jobs", "verbose", "max_iter")
        identity = identity_of(estimator, free, **more)
        checkpoints = Checkpoints(_folder(checkpoint), identity, checkpoint_every)
    settings = {"batch_size": batch_size, "shard": shard, "checkpoints": checkpoints}
    _warn_of_small_batches(estimator, X, batch_size, is_supervised)
    is_classifier = isinstance(estimator, SupervisedDictionaryClassifier)
    if not is_supervised:
        _refuse(estimator, sample_weight=sample_weight, classes=classes)
        return fit_online(estimator, rows, **settings)
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    if not is_classifier:
        _refuse(estimator, classes=classes)
    elif getattr(y, "ndim", 1) == 2 and y.shape[1] == 1:
        y = (y if is_dask(y) else np.asarray(y))[:, 0]
    targets = _aligned(y, X, "y", 1 if is_classifier else 2)
    arrays = rows, targets, _aligned(sample_weight, X, "sample_weight", 1)
    return fit_supervised(estimator, arrays, (X, y), classes=classes, **settings)


def _refuse(estimator, **given):
    """Raise if there are arguments that a fit of the estimator would not use."""
    for name, value in given.items():
        if value is not None:
            kind = type(value).__name__
            raise ValueError(
                f"{name} must be None for {type(estimator).__name__}, which has no use for it, "
                f"got one of type {kind}: leave it out."
            )


def _folder(checkpoint):
    """Path of a folder, which may not exist."""
    if not isinstance(checkpoint, str | os.PathLike):
        kind = type(checkpoint).__name__
        raise TypeError(f"checkpoint must be a path or None, got {checkpoint!r} of type {kind}.")
    folder = Path(checkpoint)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"checkpoint must be a folder or a new name, got the file {folder}.")
    return folder


def _batch_size(given, own, shard):
    """Signals of a mini-batch."""
    if given is not None:
        return int(check_scalar(given, "batch_size", low=1, integer=True, also="or None"))
    return max(_SHARDS * shard, own if isinstance(own, int) else 0)


def _aligned(array, X, name, n_dimensions):
    """Rows that belong to those of X, or None."""
    rows = rows_of(array, name)
    if rows is None:
        return None
    if not 1 <= rows.ndim <= n_dimensions:
        kind = "a vector" if n_dimensions == 1 else "a vector or a matrix"
        raise ValueError(f"{name} must be {kind}, got an array of shape {rows.shape}.")
    if rows.shape[0] != X.shape[0]:
        raise ValueError(
            f"{name} must have one row per row of X: got {rows.shape[0]} rows for "
            f"{X.shape[0]} of X."
        )
    return rows


def _warn_of_small_batches(estimator, X, batch_size, is_supervised):
    """Warn if workers of a cluster would wait for most of the time."""
    n_threads = _cluster.n_threads()
    if n_threads < 2:
        return
    entries = estimator.n_components * X.shape[1]
    n_bytes = X.dtype.itemsize * entries * (3 if is_supervised else 2)
    seconds = _ROUND_SECONDS + _BYTE_SECONDS * n_bytes
    busy = batch_size * entries * _SIGNAL_SECONDS / n_threads
    if busy >= seconds:
        return
    enough = int(np.ceil(batch_size * seconds / max(busy, 1e-12) / 1024)) * 1024
    warn(
        f"batch_size={batch_size} gives {n_threads} threads of the cluster some "
        f"{1e3 * busy:.0f} ms of work between two synchronisations, which take some "
        f"{1e3 * seconds:.0f} ms: batch_size={enough} or more would keep them busy, and one "
        "machine may be as fast (fit of the estimator, or partial_fit for each block)."
    )
