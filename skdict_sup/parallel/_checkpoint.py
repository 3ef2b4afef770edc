"""Checkpoints of long fits in a folder: a new file for each, then a pointer to it."""

import hashlib
import json
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .._validation import warn

_POINTER = "latest.json"


@dataclass
class Checkpoints:
    """Checkpoints of one fit, which `identity` tells from others: a mapping of names to values."""

    folder: Path
    identity: dict
    every: int
    last: str | None = None  # file of the last checkpoint

    def load(self, **samples):
        """What was stored last, or None; raises if it is that of another fit.

        `samples` are rows of the data by name, by which their identity is known.
        """
        samples = {name: array for name, array in samples.items() if array is not None}
        self.identity |= {f"data of {name}": digest(array) for name, array in samples.items()}
        pointer = self.folder / _POINTER
        if not pointer.exists():
            return None
        identity, content = self._read(pointer)
        for name in {**self.identity, **identity}:
            before, value = identity.get(name), self.identity.get(name)
            if before != value:
                raise ValueError(
                    f"checkpoint {self.folder} is that of another fit: {name} was "
                    f"{before}, and is {value}. Use another folder, or remove it."
                )
        return content

    def _read(self, pointer):
        """Content of the file that a pointer names."""
        name = _POINTER
        try:
            found = json.loads(pointer.read_text())
            name = found["file"]
            data = (self.folder / name).read_bytes()
            if hashlib.sha256(data).hexdigest() == found["sha256"]:
                self.last = name
                return pickle.loads(data)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        raise ValueError(
            f"checkpoint {self.folder} has a damaged or missing file, {name}: remove the folder "
            "to begin again."
        )

    def save(self, number, content):
        """Store what a fit needs to go on; a full disk is a warning, the fit goes on."""
        data = pickle.dumps((self.identity, content), protocol=pickle.HIGHEST_PROTOCOL)
        sha256 = hashlib.sha256(data).hexdigest()
        # another name for other content, so that the pointer always names a whole file
        name = f"batch-{number:012d}-{sha256[:8]}.pickle"
        pointer = {"file": name, "sha256": sha256}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _write(self.folder / name, data)
            _write(self.folder / _POINTER, json.dumps(pointer).encode())
            # the one before is kept, so that a reader of the last pointer finds what it names
            for path in set(self.folder.glob("batch-*.pickle")):
                if path.name not in (name, self.last):
                    path.unlink()
            self.last = name
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


def identity_of(estimator: Any, free: tuple, **more: Any) -> dict:
    """Parameters of a fit by name but for those that may change, as text."""
    params = estimator.get_params().items()
    kind = {"estimator": type(estimator).__name__}
    return kind | {name: _text(value) for name, value in params if name not in free} | more


def digest(array):
    """Digest of an array or a CSR matrix."""
    is_csr, found = hasattr(array, "tocsr"), hashlib.sha256()
    for part in (array.data, array.indices, array.indptr) if is_csr else (array,):
        part = np.ascontiguousarray(part)
        found.update(repr(part.tolist()).encode() if part.dtype == object else part.tobytes())
    return found.hexdigest()[:16]


def _text(value):
    """Text that tells a parameter from others, and is the same in another process."""
    if hasattr(value, "tobytes"):
        return digest(value)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
