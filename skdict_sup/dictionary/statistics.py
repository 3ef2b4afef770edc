r"""Sufficient statistics of coded signals for the updates of online learning.

A record covers the signals `first` + 1 to `last` of a stream, and weighs the i-th of them by
(i / last)^forgetting. The statistics of two consecutive pieces merge into those of both,

.. math:: S_{a,c} = (b / c)^\rho \, S_{a,b} + S_{b,c},

which is associative: pieces may be merged one by one, or in any tree of neighbours.

References
----------
J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
coding", JMLR 2010, section 3.4.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .._array import astype_like, device_of, namespace, take_rows, to_float64
from .._threads import effective_n_jobs
from ..kernels import code_moments

_WIDE_AFTER = 10_000_000  # signals after which sums in float32 would lose single signals
_N_WORST = 16  # worst signals of a mini-batch, by which unused atoms may be replaced


@dataclass(frozen=True, eq=False)
class Statistics:
    """Weighted moments of codes and signals, how often atoms are used, and the worst signals."""

    stays_on_host: ClassVar = ("worst_objective",)

    code_moment: Any  # sum of w' w
    cross_moment: Any  # sum of w' x
    n_uses: Any  # nonzeros of each atom, as floats: integers would stay on their device
    worst: Any  # signals with the largest objectives, in decreasing order
    worst_objective: Any
    first: int = 0
    last: int = 0


def empty_statistics(dictionary):
    """Statistics before the first signal, for codes over a dictionary."""
    xp = namespace(dictionary)
    p, m = dictionary.shape
    kwargs = {"dtype": dictionary.dtype, "device": device_of(dictionary)}
    return Statistics(
        code_moment=xp.zeros((p, p), **kwargs),
        cross_moment=xp.zeros((p, m), **kwargs),
        n_uses=xp.zeros(p, **kwargs),
        worst=xp.zeros((0, m), **kwargs),
        worst_objective=np.zeros(0),
    )


def statistics_of(X, code, objective, first, forgetting, n_jobs=None):
    """Statistics of coded signals that come after the first `first` signals of a stream.

    `objective` is a NumPy array of the objectives of the codes.
    """
    xp, last = namespace(X), first + X.shape[0]
    weights = (np.arange(first + 1, last + 1) / last) ** forgetting
    weighted = code * astype_like(weights, X)[:, None]
    code_moment, cross_moment = code_moments(X, code, weighted, effective_n_jobs(n_jobs))
    worst = np.argsort(-objective, kind="stable")[:_N_WORST]
    return Statistics(
        code_moment=code_moment,
        cross_moment=cross_moment,
        n_uses=xp.sum(xp.astype(code != 0, code.dtype), axis=0),
        worst=take_rows(X, worst),
        worst_objective=objective[worst],
        first=first,
        last=last,
    )


def merge(before, after, forgetting):
    """Merged statistics of two consecutive pieces of a stream."""
    if before.last != after.first:
        raise ValueError(
            f"after must begin where before ends, after {before.last} signals of the stream; "
            f"it begins after {after.first}."
        )
    xp = namespace(before.code_moment)
    decay = (before.last / after.last) ** forgetting if before.last else 0.0
    worst = xp.concat([before.worst, after.worst], axis=0)
    objective = np.concatenate([before.worst_objective, after.worst_objective])
    order = np.argsort(-objective, kind="stable")[:_N_WORST]
    is_long = after.last > _WIDE_AFTER
    moments = (
        (to_float64(one), to_float64(other)) if is_long else (one, other)
        for one, other in (
            (before.code_moment, after.code_moment),
            (before.cross_moment, after.cross_moment),
        )
    )
    code_moment, cross_moment = (decay * one + other for one, other in moments)
    return Statistics(
        code_moment=code_moment,
        cross_moment=cross_moment,
        n_uses=before.n_uses + after.n_uses,
        worst=take_rows(worst, order),
        worst_objective=objective[order],
        first=before.first,
        last=after.last,
    )
