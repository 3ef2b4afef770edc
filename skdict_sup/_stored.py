"""Objects in files: the version that wrote them, and what a version that reads them makes of it.

Files of a minor version are read by the next one. A parameter that a file does not know gets its
default; fields of records have theirs. Other changes go into `_upgraded` of the class.
"""

import re
from inspect import signature
from typing import Any

from sklearn.exceptions import InconsistentVersionWarning

from . import __version__
from ._validation import warn

_KEY = "_skdict_sup_version"


class StoredVersionWarning(InconsistentVersionWarning):
    """A file comes from a version whose files this one does not promise to read."""

    def __init__(self, message):
        self.message = message

    def __str__(self):
        return self.message


def stored_state(state: Any) -> Any:
    """State that an object is stored with: its own, and the version that writes it."""
    return state | {_KEY: __version__}


def restored_state(stored, state):
    """State of a stored object as this version has it; warns if it may not be readable."""
    version = state.get(_KEY)
    _warn_unless_readable(version, type(stored).__name__)
    parameters = signature(type(stored)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    known = {name: value for name, value in state.items() if name != _KEY}
    return stored._upgraded(defaults | known, version)


class Stored:
    """Base of records that users store; it goes before scikit-learn's in the bases of a class."""

    def __getstate__(self):
        base: Any = super()
        return stored_state(base.__getstate__())

    def __setstate__(self, state):
        base: Any = super()
        base.__setstate__(restored_state(self, state))

    def _upgraded(self, state, version):
        """State as this version has it, of one that was stored by `version` (None: unknown)."""
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
            f"{name} was stored by {writer}, and {__version__} reads it: that may fail, or give "
            "other results. Use the version that stored it, or fit anew."
        )
    )


def _minor(version):
    """(major, minor) of a version, or None."""
    found = re.match(r"(\d+)\.(\d+)", version) if isinstance(version, str) else None
    return found and tuple(map(int, found.groups()))
