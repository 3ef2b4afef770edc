"""Tests of clusters end, even where something waits for ever."""

import faulthandler
import sys

import pytest

_LIMIT = 600.0  # seconds, those of a test that compiles on a busy machine among them


@pytest.fixture(autouse=True)
def _ends():
    """Stop this process, with the stacks of its threads, where a test does not end."""
    faulthandler.dump_traceback_later(_LIMIT, exit=True, file=sys.__stderr__)
    yield
    faulthandler.cancel_dump_traceback_later()
