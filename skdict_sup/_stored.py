"""Pickling with a version: files of one minor version can be read by the next.

Parameters and fields that are missing in an older file get their defaults. All other changes of a
class are handled in its method `_upgraded`.
"""

import re
from inspect import signature
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from . import __version__
from ._validation import warn

_KEY = "_skdict_sup_version"


class StoredVersionWarning(InconsistentVersionWarning):
    """The file was written by a version that this version may be unable to read."""

    def __init__(self, message):
        self.message = message

    def __str__(self):
        return self.message


def stored_state(state: Any) -> Any:
    """State of an object with the version of the package added, for pickling."""
    return state | {_KEY: __version__}


def restored_state(stored, state):
    """Convert a pickled state to that of this version; warn if it may be unreadable."""
    version = state.get(_KEY)
    _warn_unless_readable(version, type(stored).__name__)
    parameters = signature(type(stored)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    known = {name: value for name, value in state.items() if name != _KEY}
    return stored._upgraded(defaults | known, version)


class Stored:
    """Base of objects that users store; must precede scikit-learn's base classes."""

    def __getstate__(self):
        base: Any = super()
        return stored_state(base.__getstate__())

    def __setstate__(self, state):
        base: Any = super()
        base.__setstate__(restored_state(self, state))

    def __copy__(self):
        """A copy in memory, which needs no version."""
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def _upgraded(self, state, version):
        """Convert a state stored by `version` (None if unknown) to that of this version."""
        return state


def _warn_unless_readable(version, name):
    stored, current = _minor(version), _minor(__version__)
    if stored is None or current is None:
        writer = "an unknown version of skdict_sup"
    elif stored > current:
        writer = f"a newer version of skdict_sup ({version})"
    elif stored[0] != current[0] or stored[1] < current[1] - 1:
        writer = f"an old version of skdict_sup ({version})"
    else:
        return
    warn(
        StoredVersionWarning(
            f"{name} was stored by {writer} and is read by {__version__}: this may fail or give "
            "different results. Use the version that stored it, or fit again."
        )
    )


def _minor(version):
    """(major, minor) of a version string, or None."""
    match = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    return match and tuple(map(int, match.groups()))
