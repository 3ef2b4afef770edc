"""Dictionary learning without labels, one mini-batch at a time.

The statistics weigh the i-th of N signals seen by (i / N)^forgetting, and the dictionary moves
when a mini-batch of the stream is complete: both depend on the stream alone, not on the pieces in
which it arrives. A mini-batch cut in two is coded with the same dictionary, the `anchor`.

References
----------
J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
coding", JMLR 2010, algorithms 1 and 2, section 3.4.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._array import astype_like, namespace, set_rows, to_numpy
from .._linalg import unit_norm
from ..kernels import atom_update
from ._stream import learn_from
from .statistics import Statistics, merge, no_statistics, statistics_of


@dataclass(frozen=True)
class OnlineSettings:
    """What stays the same over the stream."""

    reconstruction: Any
    prior: Any
    solver: Any
    batch_size: int = 256
    forgetting: float = 2.0
    positive_dictionary: bool = False
    n_jobs: int | None = None


@dataclass(frozen=True, eq=False)
class OnlineState:
    """Everything that learning needs to go on: the dictionary, and statistics of the stream."""

    anchor: Any
    statistics: Statistics
    n_revived: int = 0

    @property
    def n_seen(self):
        """Signals of the stream so far."""
        return self.statistics.last


def start(dictionary):
    """State before the first signal."""
    return OnlineState(dictionary, no_statistics(dictionary))


def learn(state, X, settings):
    """State after the signals X, with their objectives at coding time: (state, (n_samples,))."""
    return learn_from(_take, _advance, state, X, settings)


def _take(state, X, code, objective, problem, settings):
    """State with the statistics of further signals."""
    forgetting = settings.forgetting
    piece = statistics_of(X, code, objective, state.n_seen, forgetting, settings.n_jobs)
    return replace(state, statistics=merge(state.statistics, piece, forgetting))


def published(state, settings):
    """Dictionary that users see: the anchor, moved by what the open mini-batch holds so far."""
    if state.n_seen % settings.batch_size == 0:
        return state.anchor
    return _move(state, settings)


def _move(state, settings):
    moments = state.statistics.code_moment, state.statistics.cross_moment
    return atom_update(state.anchor, *moments, settings.positive_dictionary)


def _advance(state, settings):
    """State at the end of a mini-batch: atoms move, atoms that nothing uses start again."""
    p = state.anchor.shape[0]
    state = replace(state, anchor=_move(state, settings))
    # long enough for an atom used as often as the average to be used many times
    period = settings.batch_size * -(-10 * p // settings.batch_size)
    if state.n_seen % period == 0:
        state = _revive(state, settings)
    none = no_statistics(state.anchor)
    statistics = replace(state.statistics, worst=none.worst, worst_objective=none.worst_objective)
    return replace(state, statistics=statistics)


def _revive(state, settings):
    """State with unused atoms replaced by the worst signals, their statistics forgotten."""
    statistics, anchor, n_revived = state.statistics, state.anchor, state.n_revived
    n_fresh = int((statistics.worst_objective > 0).sum())
    dead = np.flatnonzero(to_numpy(statistics.uses) == 0)[:n_fresh]
    if len(dead):
        keep = np.ones(statistics.uses.shape[0])
        keep[dead] = 0.0
        keep = astype_like(keep, anchor)
        fresh = unit_norm(statistics.worst)
        fresh = namespace(fresh).abs(fresh) if settings.positive_dictionary else fresh
        anchor = set_rows(anchor, fresh[: len(dead), :], dead)
        n_revived = n_revived + len(dead)
        statistics = replace(
            statistics,
            code_moment=statistics.code_moment * keep[:, None] * keep[None, :],
            cross_moment=statistics.cross_moment * keep[:, None],
        )
    return OnlineState(anchor, replace(statistics, uses=0.0 * statistics.uses), n_revived)
