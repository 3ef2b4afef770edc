"""The one decorator of all compiled functions: their options, and a cache that may fail."""

import hashlib
import os
import warnings
from pathlib import Path

from numba import njit
from numba.core import caching

# NaN and infinity keep their meaning: bounds such as infinite steps rely on them
FAST = {"contract", "reassoc", "nsz", "arcp"}
_WARNED = set()


def compiled(**options):
    """`numba.njit` whose cache is kept if it can be: without a folder, functions run uncached."""
    cached = options.pop("cache")

    def decorate(function):
        compiled_function = njit(**options)(function)
        if cached and hasattr(compiled_function, "py_func"):  # plain with NUMBA_DISABLE_JIT
            _enable_cache(compiled_function)
        return compiled_function

    return decorate


def _enable_cache(function):
    try:
        function._cache = _Cache(function.py_func)
    except (RuntimeError, OSError):  # numba found no folder that it may write to
        _warn_once(
            "Compiled functions cannot be kept on disk, so that each process compiles them "
            "anew, which takes some seconds: no folder for them is writable. Set the "
            "environment variable NUMBA_CACHE_DIR to one that is."
        )


def _warn_once(message):
    if message not in _WARNED:
        _WARNED.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)


class _CheckedFile(caching.IndexDataCacheFile):
    """Files that end in their own digest: machine code with a wrong byte would end the process."""

    def _dump(self, obj):
        data = super()._dump(obj)
        return data + hashlib.sha256(data).digest()

    def _load_data(self, name):
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)


class _Cache(caching.FunctionCache):
    """A cache on disk in which damaged files count as missing, and are written again."""

    def __init__(self, py_func):
        super().__init__(py_func)
        plain = self._cache_file
        self._cache_file = _CheckedFile(
            self._cache_path, self._impl.filename_base, plain._source_stamp
        )

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # damage can raise anything, from EOFError to errors of LLVM
            self._discard()
            return None

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception:  # a full disk, a folder that is gone: the function is compiled already
            self._discard()

    def _discard(self):
        """Remove this function's files, or at least use them no more."""
        try:
            for path in Path(self._cache_path).glob(f"{self._impl.filename_base}.*nb[ci]"):
                os.unlink(path)
        except OSError:
            self.disable()
            _warn_once(
                f"Files in the folder of compiled functions, {self._cache_path}, are damaged and "
                "cannot be replaced; they are not used. Remove them, or set the environment "
                "variable NUMBA_CACHE_DIR to another folder."
            )
