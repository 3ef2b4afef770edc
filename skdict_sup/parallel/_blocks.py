"""What tasks compute: pure functions of a block of signals and a model, without dask."""

from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from threading import Lock
from typing import Any

import numpy as np
import scipy.sparse

from .._array import astype_like, is_numpy, is_sparse, namespace
from .._atoms import Atoms
from .._validation import ConvergenceWarning, collect_warnings
from ..coding import encode
from ..estimators import to_device
from ..solution import Solution

CLIENT_ONLY = "_sklearn_output_config", "_skl_callback", "_callback", "_parent_callback"


@dataclass(frozen=True, eq=False)
class Model:
    """What a call on blocks needs: one node of a graph, whose size schedulers can see.

    `name` tells the warnings of different calls apart.
    """

    name: str

    @property
    def arrays(self):
        """Arrays of the model."""
        return ()

    def __sizeof__(self):
        return object.__sizeof__(self) + sum(int(array.nbytes) for array in self.arrays)


@dataclass(frozen=True, eq=False)
class Encoding(Model):
    """Arguments of `encode` but for the signals."""

    dictionary: Any
    options: dict = field(default_factory=dict)

    @property
    def arrays(self):
        """The dictionary."""
        return (self.dictionary,)

    def solve(self, X, mask=None, entry_weight=None, max_residual=None):
        """`Solution` of a block of signals, empty for one without rows."""
        options, dictionary = dict(self.options), self.dictionary
        if max_residual is not None:
            options["max_residual"] = np.reshape(max_residual, -1)
        if not X.shape[0]:
            return empty_solution(X, dictionary.shape[0], options)
        if not is_sparse(X) and not is_numpy(X):
            dictionary = astype_like(dictionary, X)
        weights = {"mask": mask, "entry_weight": entry_weight}
        return encode(X, dictionary, n_jobs=1, **weights, **options)


def empty_solution(X, n_components, options):
    """`Solution` for no signals."""
    xp = np if is_sparse(X) else namespace(X)
    dtype = xp.float32 if str(X.dtype).endswith("float32") else xp.float64
    code: Any = xp.zeros((0, n_components), dtype=dtype)
    if options.get("output") == "sparse":
        code = scipy.sparse.csr_matrix((0, n_components), dtype=dtype)
    none, none_at_limits = xp.zeros(0, dtype=dtype), None
    if any(options.get(name) is not None for name in ("max_residual", "max_nonzeros")):
        none_at_limits = none
    integers, booleans = xp.zeros(0, dtype=xp.int64), xp.zeros(0, dtype=xp.bool)
    lam = None if options.get("solver") == "omp" else none_at_limits
    return Solution(code, none, none, integers, booleans, none, lam, none_at_limits)


@dataclass(frozen=True, eq=False)
class Fitted(Model):
    """A fitted estimator, of which tasks call one method."""

    estimator: Any
    method: str

    @property
    def arrays(self):
        """Learned arrays."""
        values = vars(self.estimator).values()
        return [value for value in values if isinstance(value, np.ndarray)]

    def call(self, X):
        """Result of the method for a block, empty for one without rows."""
        model = self.estimator
        if not is_sparse(X) and not is_numpy(X):
            model = to_device(model, namespace(X))
        if X.shape[0]:
            return getattr(model, self.method)(X)
        with collect_warnings():
            return getattr(model, self.method)(one_row(X, X.shape[1]))[:0]


def one_row(like, m):
    """One signal of m entries, of the type of an empty array; it is a distribution too."""
    if is_sparse(like):
        return scipy.sparse.csr_matrix(np.full((1, m), 1 / m, like.dtype))
    return namespace(like).full((1, m), 1 / m, dtype=like.dtype)


def one_weight(like):
    """Weights one of one signal, like those of an array."""
    ones = np.ones((1, *like.shape[1:]), like.dtype)
    return scipy.sparse.csr_matrix(ones) if is_sparse(like._meta) else ones


def without_training(estimator):
    """Copy of a fitted estimator with what its methods need, but not what only training does."""
    light = copy(estimator)
    for name in ("initial_components_", "loss_curve_", "objective_curve_", "validation_scores_"):
        vars(light).pop(name, None)
    training: Any = getattr(light, "_training", None)
    if hasattr(training, "settings"):  # which say what the head is
        light._training = replace(training.ended(), state=None, rng_state={})
    elif hasattr(training, "layers"):  # an encoder, with a head
        moments = {"layers": [dict.fromkeys(layer) for layer in training.layers]}
        light._training = replace(training, moments=moments)
    elif training is not None:
        light._training = None
    params = light.get_params(deep=False)
    if "n_jobs" in params:
        light.n_jobs = 1
    if training is not None:  # what only `fit` reads
        for name in {"init", "augment"}.intersection(params):
            setattr(light, name, None)
    # blocks are arrays, and callbacks are called in the process of the client
    for name in [name for name in vars(light) if name.startswith(CLIENT_ONLY)]:
        del vars(light)[name]
    return light


def solve_block(X, *arrays, model, place, report, names=(), field=None):
    """`Solution` of a block with further arrays of some names, or one field of it."""
    more = dict(zip(names, arrays, strict=True))
    solution = run(partial(model.solve, X, **more), model, place, report)
    return solution if field is None else getattr(solution, field)


def call_block(X, *, model, place, report):
    """Result of the method of a `Fitted` model for a block."""
    return run(partial(model.call, X), model, place, report)


_LEAST_SHARED = 2048  # atoms from which on the Gram matrix takes longer than to send it
_N_PARTS = 8


def gram_parts(n_atoms):
    """Ranges of rows of a Gram matrix that tasks compute; none for small ones."""
    if n_atoms < _LEAST_SHARED:
        return []
    stops = [n_atoms * part // _N_PARTS for part in range(_N_PARTS + 1)]
    return list(pairwise(stops))


def gram_rows(dictionary, start, stop):
    """Some rows of the Gram matrix of a dictionary, those of `Atoms.gram` bit for bit."""
    return Atoms(dictionary).own_correlations(dictionary[start:stop, :])


def joined_atoms(dictionaries, parts):
    """`Atoms` of dictionaries, with Gram matrices of parts; without parts each finds its own."""
    return tuple(
        Atoms.with_gram(dictionary, np.concatenate(rows)) if rows else Atoms(dictionary)
        for dictionary, rows in zip(dictionaries, parts, strict=True)
    )


def placed(error, place):
    """TypeError or ValueError of a part of the signals, that says which."""
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"in {place}: {error}")


_reported = set()
_lock = Lock()


def run(function, model, place, report):
    """Call a function of a block; errors name the block, warnings are passed on once.

    `place` is (number of the block, first row or None), and `report(message, category)` issues a
    warning where the user sees it.
    """
    try:
        with collect_warnings() as found:
            result = function()
    except (TypeError, ValueError) as error:
        raise placed(error, f"block {_place(*place)}") from error
    for message, category in found:
        key = model.name, category
        with _lock:
            is_new = key not in _reported
            _reported.add(key)
        if is_new:
            said = message
            if issubclass(category, ConvergenceWarning):
                said = f"{message} This is of block {_place(*place)}; others may be concerned too."
            report(said, category)
    return result


def _place(number, row):
    """Words for a block."""
    return str(number) if row is None else f"{number}, which begins at row {row}"
