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


class Stored:
    """Base of what users store: it goes before scikit-learn's in the bases of a class."""

    def __getstate__(self):
        state: Any = super().__getstate__()
        return state | {_KEY: __version__}

    def __setstate__(self, state):
        version = state.get(_KEY)
        _warn_unless_readable(version, type(self).__name__)
        parameters = signature(type(self)).parameters.values()
        defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
        known = {name: value for name, value in state.items() if name != _KEY}
        base: Any = super()
        base.__setstate__(self._upgraded(defaults | known, version))

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
