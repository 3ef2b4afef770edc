"""Which rows each round of a fit needs: pure functions of numbers, the same on any cluster."""

from dataclasses import dataclass

import numpy as np

from ..dictionary._stream import shards

N_RUNS = 64  # runs of neighbouring rows that a sample of rows consists of
SAMPLE = 30_000  # signals in memory from which learning begins
FEW = 10_000  # signals on which weights are resolved, labelled ones of a sample, and held out


@dataclass(frozen=True)
class Round:
    """Rows between two synchronisations: a mini-batch, or what a pass has of it.

    `shards` has for each shard its rows, as ranges of row numbers in order.
    """

    first: int  # signals of the stream before the round
    n_rows: int
    shards: tuple

    def ranges(self):
        """Ranges of all rows, in order."""
        return [one for ranges in self.shards for one in ranges]


def count(ranges):
    """Number of rows of ranges."""
    return sum(stop - start for start, stop in ranges)


def rows_in(ranges):
    """Numbers of the rows of ranges."""
    return np.concatenate([np.arange(start, stop) for start, stop in ranges])


def ranges_of(rows):
    """Ranges of row numbers, which are in order."""
    cuts = np.flatnonzero(np.diff(rows) > 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(rows, cuts)]


def pass_ranges(n_rows, size, rng=None):
    """Ranges of rows of one pass; with a generator, ranges of `size` rows in random order."""
    starts = np.arange(0, n_rows, size)
    starts = starts if rng is None else rng.permutation(starts)
    return [(int(start), int(min(start + size, n_rows))) for start in starts]


def rounds(ranges, n_seen, batch_size, shard):
    """Rounds of a pass over ranges of rows, after `n_seen` signals of the stream."""
    left, made = list(reversed(ranges)), []
    while left:
        rows = _take(left, batch_size - n_seen % batch_size)
        n_rows, cut = count(rows), list(reversed(rows))
        parts = [_take(cut, s.stop - s.start) for s in shards(n_seen, n_rows, batch_size, shard)]
        made.append(Round(n_seen, n_rows, tuple(tuple(part) for part in parts)))
        n_seen += n_rows
    return made


def _take(left, count):
    """Remove up to `count` rows from the end of a list of ranges in reverse order."""
    taken = []
    while left and count > 0:
        start, stop = left.pop()
        middle = min(stop, start + count)
        if middle < stop:
            left.append((middle, stop))
        taken.append((start, middle))
        count -= middle - start
    return taken


def sample_ranges(n_rows, n_wanted):
    """Ranges of at most about `n_wanted` rows: all rows, or evenly spaced runs of neighbours.

    They depend on the number of rows alone, and touch few blocks.
    """
    if n_rows <= n_wanted:
        return [(0, n_rows)]
    length = n_wanted // N_RUNS
    starts = np.linspace(0, n_rows - length, N_RUNS).astype(np.int64)
    return [(int(start), int(start) + length) for start in starts]
