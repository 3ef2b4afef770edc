"""Lazy codes and predictions of dask arrays, block by block."""

from dataclasses import fields
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._typing import Array
from .._validation import check_option, collect_warnings
from ..coding import make_problem, with_weights
from ..priors import Prior, as_prior, settings_of
from ..solution import Solution
from . import _blocks, _dask, _plan
from ._plan import sample_ranges


def encode(
    X: Any,
    dictionary: Array,
    *,
    prior: Prior | str = "elastic_net",
    certificate: bool = False,
    output: str = "dense",
    mask: Any = None,
    entry_weight: Any = None,
    max_residual: Any = None,
    **options: Any,
) -> Any:
    r"""Lazy sparse codes of a dask array, those of :func:`skdict_sup.encode` bit for bit.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)

    Parameters
    ----------
    X : dask array of shape (n_samples, n_features)
        Signals in blocks of NumPy, CuPy or SciPy CSR, or an array that dask reads block by block,
        such as a memory map or a Zarr array. Blocks that divide the columns are joined.
    dictionary : array of shape (n_components, n_features)
        Atoms as rows, in memory. All blocks share one copy.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. "auto" hyper-parameters are resolved at once, on at most 10 000 signals
        in evenly spaced runs.
    certificate : bool, default=False
        Whether to return a lazy :class:`~skdict_sup.Solution` in place of the codes.
    output : {"dense", "sparse"}, default="dense"
        "sparse" has blocks in SciPy CSR.
    mask, entry_weight : dask array or array of shape (n_samples, n_features) or None, default=None
        As in :func:`skdict_sup.encode`.
    max_residual : float, dask array or array of shape (n_samples,) or None, default=None
        As in :func:`skdict_sup.encode`.
    **options
        Other parameters of :func:`skdict_sup.encode`: transfer, solver, tol, max_iter,
        max_nonzeros.

    Returns
    -------
    dask array of shape (n_samples, n_components) or Solution
        Codes. With ``certificate=True`` a Solution, whose fields are dask arrays.

    Raises
    ------
    TypeError, ValueError
        As :func:`skdict_sup.encode`: for parameters at once, for signals where a block is
        computed, with its number and its first row.

    Warns
    -----
    ConvergenceWarning
        Once per call and process, if codes have not converged.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Formulation with expected cost".

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, parallel
    >>> X = da.ones((6, 2), chunks=(4, 2))
    >>> codes = parallel.encode(X, np.eye(2), prior=ElasticNet(lam=0.25))
    >>> codes.chunks
    ((4, 2), (2,))
    >>> codes[:1].compute()
    array([[0.75, 0.75]])
    """
    check_option(output, "output", {"dense", "sparse"})
    for name in ("init", "n_jobs", "verbose"):
        if name in options:
            raise TypeError(f"parallel.encode has no parameter {name}: blocks are coded alone.")
    X, prior = _dask.whole_rows(X), as_prior(prior)
    options = options | {"prior": prior, "output": output}
    weights: Any = {"mask": mask, "entry_weight": entry_weight}
    weights = {name: _dask.like_rows(array, X, name) for name, array in weights.items()}
    arrays = {name: array for name, array in weights.items() if array is not None}
    if _dask.is_dask(max_residual) or np.ndim(max_residual):
        arrays["max_residual"] = _dask.like_rows(max_residual, X, "max_residual")
    elif max_residual is not None:
        options["max_residual"] = max_residual
    # paths to a limit begin at lam="auto", which they do not need a value of
    is_limited = max_residual is not None or options.get("max_nonzeros") is not None
    if has_auto(prior) and not (is_limited and getattr(prior, "lam", None) == "auto"):
        terms = dictionary, prior, options.get("transfer", "linear")
        with collect_warnings():  # blocks issue those about their signals
            signals = with_weights(*sample([X, weights["mask"], weights["entry_weight"]]))
            options["prior"] = make_problem(signals, *terms)[1].prior
    model = _blocks.Encoding(f"encode-{uuid4().hex}", dictionary, options)
    with collect_warnings():  # one signal has the types of all, and raises errors of parameters
        row = _blocks.one_row(X._meta, X.shape[1])
        ones = {name: _blocks.one_weight(array) for name, array in arrays.items()}
        small = model.solve(row, **ones)
    task = partial(_blocks.solve_block, names=tuple(arrays))
    if certificate:
        solutions = _dask.delayed_blocks(task, X, arrays.values(), model)
        return _lazy_solution(solutions, X.chunks[0], small)
    return _dask.map_rows(partial(task, field="code"), X, arrays.values(), model, small.code)


def has_auto(prior):
    """Whether a hyper-parameter of a prior is to be resolved on signals."""
    return any(isinstance(value, str) for value in settings_of(prior).values())


def sample(arrays):
    """Rows of dask arrays in evenly spaced runs, in memory; None stays None.

    Where the sizes of blocks are unknown, they are the first rows of the first block that has any.
    """
    X: Any = arrays[0]
    if not np.isnan(X.shape[0]):
        ranges = sample_ranges(X.shape[0], _plan.FEW)
        return [None if array is None else _dask.take(array, ranges) for array in arrays]
    found: list[Any] = []
    for i in range(X.numblocks[0]):
        found = [None if array is None else array.blocks[i].compute() for array in arrays]
        if found[0].shape[0]:
            break
    return [None if array is None else array[: _plan.FEW] for array in found]


def _lazy_solution(solutions, sizes, small):
    """`Solution` of dask arrays, from delayed ones of blocks and that of one signal."""
    found = {}
    for field in fields(Solution):
        like = getattr(small, field.name)
        if like is not None:
            found[field.name] = _dask.join(solutions, field.name, sizes, like)
    return Solution(**found)


def _call(estimator, X, method):
    """Lazy result of a method of a fitted estimator."""
    check_is_fitted(estimator)
    X = _dask.whole_rows(X)
    if not hasattr(estimator, "components_") and hasattr(estimator, "_fitted_coder"):
        estimator = _fitted_coder(estimator, X, method)
    model = _blocks.Fitted(f"{method}-{uuid4().hex}", _blocks.without_training(estimator), method)
    with collect_warnings():
        small = model.call(_blocks.one_row(X._meta, X.shape[1]))
    return _dask.map_rows(_blocks.call_block, X, (), model, small)


def _fitted_coder(coder, X, method):
    """Copy of a SparseCoder without a fit that has what the method needs."""
    if method != "transform":
        return coder._fitted_coder()
    is_open = has_auto(coder._unresolved_prior())
    signals = sample([X])[0] if is_open else _blocks.one_row(X._meta, X.shape[1])
    with collect_warnings() as found:
        fitted = coder._fitted_coder(signals)
    if is_open:
        _dask.report_once(found)
    return fitted


def transform(estimator: Any, X: Any) -> Any:
    """Lazy codes of a dask array by a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted OnlineDictionaryLearning, supervised estimator, LISTAEncoder, or any other estimator
        whose result for a signal does not depend on other signals. A SparseCoder needs no fit:
        "auto" hyper-parameters are resolved as by :func:`encode`.
    X : dask array of shape (n_samples, n_features)
        Signals, as in :func:`encode`.

    Returns
    -------
    dask array of shape (n_samples, n_outputs)
        Results of ``estimator.transform`` for each block.

    Raises
    ------
    TypeError, ValueError
        As the method: for parameters at once, for signals where a block is computed.

    Examples
    --------
    >>> import dask.array as da
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import OnlineDictionaryLearning, parallel
    >>> X, _ = load_digits(return_X_y=True)
    >>> learner = OnlineDictionaryLearning(20, max_iter=2, random_state=0).fit(X)
    >>> codes = parallel.transform(learner, da.from_array(X, chunks=(500, 64)))
    >>> codes.shape
    (1797, 20)
    """
    return _call(estimator, X, "transform")


def predict(estimator: Any, X: Any) -> Any:
    """Lazy predictions for a dask array by a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted supervised estimator, or any other.
    X : dask array of shape (n_samples, n_features)
        Signals, as in :func:`encode`.

    Returns
    -------
    dask array of shape (n_samples,) or (n_samples, n_outputs)
        Results of ``estimator.predict`` for each block.
    """
    return _call(estimator, X, "predict")


def predict_proba(estimator: Any, X: Any) -> Any:
    """Lazy class probabilities for a dask array by a fitted classifier.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier.
    X : dask array of shape (n_samples, n_features)
        Signals, as in :func:`encode`.

    Returns
    -------
    dask array of shape (n_samples, n_classes)
        Results of ``estimator.predict_proba`` for each block.
    """
    return _call(estimator, X, "predict_proba")


def decision_function(estimator: Any, X: Any) -> Any:
    """Lazy scores of the classes for a dask array by a fitted classifier.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier.
    X : dask array of shape (n_samples, n_features)
        Signals, as in :func:`encode`.

    Returns
    -------
    dask array of shape (n_samples,) or (n_samples, n_classes)
        Results of ``estimator.decision_function`` for each block.
    """
    return _call(estimator, X, "decision_function")


def inverse_transform(estimator: Any, X: Any) -> Any:
    """Lazy reconstructions of signals from a dask array of codes.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator.
    X : dask array of shape (n_samples, n_components)
        Codes, in blocks of NumPy, CuPy or SciPy CSR.

    Returns
    -------
    dask array of shape (n_samples, n_features)
        Results of ``estimator.inverse_transform`` for each block.
    """
    return _call(estimator, X, "inverse_transform")
