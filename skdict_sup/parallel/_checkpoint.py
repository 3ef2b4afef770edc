"""Checkpoints of long fits in a folder: a new file for each, then a pointer to it."""

import hashlib
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._validation import warn

_POINTER = "latest.json"
_N_KEPT = 2  # files that are kept, so that a reader of the pointer finds what it names


@dataclass
class Checkpoints:
    """Checkpoints of one fit, which `identity` tells from others: a mapping of names to values."""

    folder: Path
    identity: dict
    every: int

    def load(self):
        """What was stored last, or None; raises if it is that of another fit."""
        pointer = self.folder / _POINTER
        if not pointer.exists():
            return None
        found = json.loads(pointer.read_text())
        data = (self.folder / found["file"]).read_bytes()
        if hashlib.sha256(data).hexdigest() != found["sha256"]:
            raise ValueError(
                f"checkpoint {self.folder} has a damaged file, {found['file']}: remove the folder "
                "to begin again."
            )
        identity, content = pickle.loads(data)
        for name, value in self.identity.items():
            if identity.get(name) != value:
                raise ValueError(
                    f"checkpoint {self.folder} is that of another fit: {name} was "
                    f"{identity.get(name)!r}, and is {value!r}. Use another folder, or remove it."
                )
        return content

    def save(self, number, content):
        """Store what a fit needs to go on; a full disk is a warning, the fit goes on."""
        name = f"batch-{number:012d}.pickle"
        data = pickle.dumps((self.identity, content), protocol=pickle.HIGHEST_PROTOCOL)
        pointer = {"file": name, "sha256": hashlib.sha256(data).hexdigest()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder / name, data)
            _write(self.folder / _POINTER, json.dumps(pointer).encode())
            for path in sorted(self.folder.glob("batch-*.pickle"))[:-_N_KEPT]:
                path.unlink()
        except OSError as error:
            warn(
                f"the checkpoint after batch {number} could not be written to {self.folder} "
                f"({error}); the fit goes on, and an earlier one, if any, remains."
            )

    def due(self, number):
        """Whether a checkpoint is due after a number of batches."""
        return number % self.every == 0


def _write(path, data):
    """Write a file as a whole, or not at all."""
    draft = path.with_name(path.name + ".part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def identity_of(estimator: Any, **more: Any) -> dict:
    """Parameters of a fit by name, as text, with digests of arrays."""
    params = {name: _text(value) for name, value in estimator.get_params().items()}
    free = "n_jobs", "verbose", "max_iter"  # which may change between parts of a fit
    return {**{k: v for k, v in params.items() if k not in free}, **more}


def _text(value):
    """Text that tells a parameter from others."""
    if hasattr(value, "tobytes"):
        return hashlib.sha256(value.tobytes()).hexdigest()
    return repr(value)
