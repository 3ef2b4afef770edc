"""Results of long computations, kept on disk: a script that was stopped goes on where it was."""

import hashlib
import pickle

from _common import ROOT

FOLDER = ROOT / "asv_benchmarks" / ".kept"


class Kept:
    """Results by name; a name holds everything that its result depends on.

    `keep=False` computes all and writes nothing. Delete the folder to begin anew, as after a
    change of the library.
    """

    def __init__(self, script, keep=True):
        self.script, self.keep = script, keep

    def _path(self, name):
        key = hashlib.sha256(name.encode()).hexdigest()[:16]
        return FOLDER / f"{self.script}-{key}.pickle"

    def forget(self, name):
        """Remove a result, which is computed anew when it is asked for."""
        self._path(name).unlink(missing_ok=True)

    def __call__(self, name, compute):
        """Result of `compute()`, read back where an earlier run has come to it."""
        if not self.keep:
            return compute()
        path = self._path(name)
        if path.exists():
            return pickle.loads(path.read_bytes())
        value = compute()
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(pickle.dumps(value))
        partial.rename(path)
        return value
