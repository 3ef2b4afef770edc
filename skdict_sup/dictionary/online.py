"""Online dictionary learning with closed-form updates of the atoms, for the linear transfer.

The statistics weigh the i-th of N signals seen by (i / N)^forgetting, and the dictionary of the
state is updated at the end of each mini-batch only: the result depends on the stream alone, not on
the calls in which it arrives. A mini-batch that arrives in pieces is coded over one dictionary.

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
from .statistics import Statistics, empty_statistics, merge, statistics_of


@dataclass(frozen=True)
class OnlineSettings:
    """Settings that stay constant over the stream."""

    reconstruction: Any
    prior: Any
    solver: Any
    batch_size: int = 256
    forgetting: float = 2.0
    positive_dictionary: bool = False
    n_jobs: int | None = None


@dataclass(frozen=True, eq=False)
class OnlineState:
    """State of online learning: the dictionary and statistics of the stream.

    The dictionary is that of the last complete mini-batch.
    """

    dictionary: Any
    statistics: Statistics
    n_revived: int = 0

    @property
    def n_seen(self):
        """Signals of the stream so far."""
        return self.statistics.last


def initial_state(dictionary):
    """State before the first signal."""
    return OnlineState(dictionary, empty_statistics(dictionary))


def measure(coded, first, settings):
    """Statistics of coded signals that come after the first `first` signals of the stream."""
    arrays = coded.X, coded.code, coded.objective
    return statistics_of(*arrays, first, settings.forgetting, settings.n_jobs)


def add(state, statistics, settings):
    """State with the statistics of further signals added."""
    merged = merge(state.statistics, statistics, settings.forgetting)
    return replace(state, statistics=merged)


def current_dictionary(state, settings):
    """Dictionary of the state, updated by the statistics of an incomplete mini-batch."""
    if state.n_seen % settings.batch_size == 0:
        return state.dictionary
    return _updated_dictionary(state, settings)


def _updated_dictionary(state, settings):
    """Dictionary after an update of all atoms by the statistics."""
    moments = state.statistics.code_moment, state.statistics.cross_moment
    moments = (astype_like(moment, state.dictionary) for moment in moments)
    return atom_update(state.dictionary, *moments, settings.positive_dictionary)


def update(state, settings):
    """State after an update of the dictionary, with unused atoms replaced from time to time."""
    p = state.dictionary.shape[0]
    state = replace(state, dictionary=_updated_dictionary(state, settings))
    # long enough that an atom of average frequency is used many times
    period = settings.batch_size * -(-10 * p // settings.batch_size)
    if state.n_seen % period == 0:
        state = _revive(state, settings)
    empty = empty_statistics(state.dictionary)
    statistics = replace(
        state.statistics, worst=empty.worst, worst_objective=empty.worst_objective
    )
    return replace(state, statistics=statistics)


def _revive(state, settings):
    """State with unused atoms replaced by the worst signals, and their statistics set to zero."""
    statistics, dictionary, n_revived = state.statistics, state.dictionary, state.n_revived
    n_candidates = int((statistics.worst_objective > 0).sum())
    dead = np.flatnonzero(to_numpy(statistics.n_uses) == 0)[:n_candidates]
    if len(dead):
        is_alive = np.ones(statistics.n_uses.shape[0])
        is_alive[dead] = 0.0
        is_alive = astype_like(is_alive, statistics.code_moment)
        new_atoms = unit_norm(statistics.worst)
        new_atoms = (
            namespace(new_atoms).abs(new_atoms) if settings.positive_dictionary else new_atoms
        )
        dictionary = set_rows(dictionary, new_atoms[: len(dead), :], dead)
        n_revived = n_revived + len(dead)
        statistics = replace(
            statistics,
            code_moment=statistics.code_moment * is_alive[:, None] * is_alive[None, :],
            cross_moment=statistics.cross_moment * is_alive[:, None],
        )
    return OnlineState(dictionary, replace(statistics, n_uses=0.0 * statistics.n_uses), n_revived)
