"""Codes at a number of nonzeros, also where atoms tie to enter them."""

from .._array import set_rows, take_rows, to_numpy
from ..kernels import elastic_net_until


def codes_within_count(inputs, gram, weights, most, count):
    """Codes, slopes, weights mu and iterations where paths end, with at most `most` nonzeros.

    `inputs` are correlations, squared norms and squared bounds (or None), and with weights of
    entries the dictionary and these. If several atoms enter at once, beyond the limit, the code
    is that above the tie. `count` returns the numbers of nonzeros that are limited.
    """
    corr, sq_norm, sq_bound, *entries = inputs
    found = elastic_net_until(gram, corr, sq_norm, *weights, sq_bound, most, *entries)
    for fewer in reversed(range(1, most or 1)):
        rows = to_numpy(count(found[0]) > most).nonzero()[0]
        if not len(rows):
            break
        part = [None if one is None else take_rows(one, rows) for one in inputs[:3]]
        more = [*entries[:1], *(take_rows(one, rows) for one in entries[1:])]
        again = elastic_net_until(gram, *part[:2], *weights, part[2], fewer, *more)
        found = [set_rows(old, new, rows) for old, new in zip(found, again, strict=True)]
    return found
