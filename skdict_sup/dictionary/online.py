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
from typing import Any, ClassVar

import numpy as np

from .._array import astype_like, device_of, namespace, take_rows, to_numpy
from .._linalg import unit_norm
from .._threads import effective_n_jobs
from ..kernels import atom_update, code_moments
from ._stream import learn_from

_KEPT = 16  # worst signals of a mini-batch that dead atoms may be replaced by


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
    """Everything that learning needs to go on: dictionary, statistics, and how atoms are used."""

    on_host: ClassVar = ("worst_objective",)

    anchor: Any
    code_moment: Any
    cross_moment: Any
    uses: Any  # counts as floats, which move to another device with the rest
    worst: Any
    worst_objective: Any
    n_seen: int = 0
    n_revived: int = 0


def start(dictionary):
    """State before the first signal."""
    xp = namespace(dictionary)
    p, m = dictionary.shape
    like = {"dtype": dictionary.dtype, "device": device_of(dictionary)}
    return OnlineState(
        anchor=dictionary,
        code_moment=xp.zeros((p, p), **like),
        cross_moment=xp.zeros((p, m), **like),
        uses=xp.zeros(p, **like),
        worst=xp.zeros((0, m), **like),
        worst_objective=np.zeros(0),
    )


def accumulate(state, X, code, forgetting, n_jobs=None):
    """State with the statistics of further signals; the same for any way to cut the stream."""
    xp = namespace(X)
    seen, total = state.n_seen, state.n_seen + X.shape[0]
    weights = (np.arange(seen + 1, total + 1) / total) ** forgetting
    fade = (seen / total) ** forgetting if seen else 0.0
    weighted = code * astype_like(weights, X)[:, None]
    code_moment, cross_moment = code_moments(X, code, weighted, effective_n_jobs(n_jobs))
    return replace(
        state,
        code_moment=fade * state.code_moment + code_moment,
        cross_moment=fade * state.cross_moment + cross_moment,
        uses=state.uses + xp.sum(xp.astype(code != 0, code.dtype), axis=0),
        n_seen=total,
    )


def learn(state, X, settings):
    """State after the signals X, with their objectives at coding time: (state, (n_samples,))."""
    return learn_from(_take, _advance, state, X, settings)


def _take(state, X, code, objective, problem, settings):
    state = accumulate(state, X, code, settings.forgetting, settings.n_jobs)
    return _remember(state, X, objective)


def published(state, settings):
    """Dictionary that users see: the anchor, moved by what the open mini-batch holds so far."""
    if state.n_seen % settings.batch_size == 0:
        return state.anchor
    return _move(state, settings)


def _move(state, settings):
    return atom_update(
        state.anchor, state.code_moment, state.cross_moment, settings.positive_dictionary
    )


def _remember(state, X, objective):
    """State with the worst signals of the open mini-batch."""
    xp = namespace(X)
    order = np.argsort(-objective, kind="stable")[:_KEPT]
    worst = xp.concat([state.worst, take_rows(X, order)], axis=0)
    value = np.concatenate([state.worst_objective, objective[order]])
    order = np.argsort(-value, kind="stable")[:_KEPT]
    return replace(state, worst=take_rows(worst, order), worst_objective=value[order])


def _advance(state, settings):
    """State at the end of a mini-batch: atoms move, atoms that nothing uses start again."""
    p = state.anchor.shape[0]
    state = replace(state, anchor=_move(state, settings))
    # long enough for an atom used as often as the average to be used many times
    period = settings.batch_size * -(-10 * p // settings.batch_size)
    if state.n_seen % period == 0:
        state = _revive(state, settings)
    return replace(state, worst=state.worst[:0, :], worst_objective=np.zeros(0))


def _revive(state, settings):
    """State with unused atoms replaced by the worst signals, their statistics forgotten."""
    room = int((state.worst_objective > 0).sum())
    dead = np.flatnonzero(to_numpy(state.uses) == 0)[:room]
    if len(dead):
        keep = np.ones(state.uses.shape[0])
        keep[dead] = 0.0
        xp = namespace(state.anchor)
        keep = astype_like(keep, state.anchor)
        anchor = xp.asarray(state.anchor, copy=True)
        fresh = unit_norm(state.worst)
        fresh = xp.abs(fresh) if settings.positive_dictionary else fresh
        for place, atom in enumerate(dead):
            anchor[int(atom), :] = fresh[place, :]
        state = replace(
            state,
            anchor=anchor,
            code_moment=state.code_moment * keep[:, None] * keep[None, :],
            cross_moment=state.cross_moment * keep[:, None],
            n_revived=state.n_revived + len(dead),
        )
    return replace(state, uses=0.0 * state.uses)
