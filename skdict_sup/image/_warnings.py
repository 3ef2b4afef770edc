"""Warnings that each image, band of lines or stage would give again."""

import re
import warnings
from contextlib import contextmanager

from .._validation import warn


@contextmanager
def one_warning_of_each_kind(left_out=()):
    """Give the first of those warnings that differ in numbers alone, and say how many there were.

    Those of the categories `left_out` are not given.
    Warnings are given after the block, also where it raises an error.
    """
    kinds: dict = {}
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for one in caught:
            if issubclass(one.category, left_out):
                continue
            kind = one.category, re.sub(r"\d+", "#", str(one.message))
            kinds.setdefault(kind, []).append(str(one.message))
        for (category, _), messages in kinds.items():
            more = f" ({len(messages)} such warnings.)" if len(messages) > 1 else ""
            warn(messages[0] + more, category)
