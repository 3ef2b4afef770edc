"""The decorator of all compiled functions, its options, and a cache on disk that may fail."""

import hashlib
import os
import warnings
from functools import cache, partial
from pathlib import Path

from numba import njit
from numba.core import caching
from numba.core.types import unliteral

from . import _prebuilt
from ._lowering import Compiler, InternalCompiler

# NaN and infinity keep their meaning: bounds such as infinite steps rely on them
FAST = {"contract", "reassoc", "nsz", "arcp"}
# for functions that slice arrays or allocate them, which takes reference counts
ALLOCATING = {
    "cache": True,
    "nogil": True,
    "fastmath": FAST,
    "error_model": "numpy",
    "no_cfunc_wrapper": True,  # nothing calls these functions from C
}
# for functions without reference counts: every array is the caller's, and outlives the call
OPTIONS = {**ALLOCATING, "_nrt": False}
# for functions that only compiled functions call: a Python wrapper would take time to compile
INTERNAL = {**OPTIONS, "cache": False, "no_cpython_wrapper": True}
_WARNED = set()
_SOURCES = Path(__file__).parents[1]  # the modules that compiled functions take others from


def compiled(**options):
    """`numba.njit` with a cache on disk; without a writable folder, functions run uncached.

    The machine code of a function, and with it each bit of what it returns, does not depend on
    whether it was compiled in this process or read from the cache.
    """
    cached = options.pop("cache")
    options["pipeline_class"] = Compiler if cached else InternalCompiler

    def decorate(function):
        compiled_function = njit(**options)(function)
        if hasattr(compiled_function, "py_func"):  # plain with NUMBA_DISABLE_JIT
            _take_any_number(compiled_function)
            if cached:
                _enable_cache(compiled_function)
        return compiled_function

    return decorate


def _take_any_number(function):
    """Compile calls with 0, True and other constants as those with any number: not once more."""
    template_of = function.get_call_template

    def get_call_template(args, kws):
        args = tuple(unliteral(kind) for kind in args)
        return template_of(args, {name: unliteral(kind) for name, kind in kws.items()})

    function.get_call_template = get_call_template


def _enable_cache(function):
    """Attach a cache on disk to a compiled function, or warn where no folder is writable."""
    try:
        function._cache = _Cache(function.py_func)
    except (RuntimeError, OSError):  # numba found no folder that it may write to
        _warn_once(
            "Compiled functions cannot be kept on disk, so that each process compiles them "
            "anew, which takes some seconds: no folder for them is writable. Set the "
            "environment variable NUMBA_CACHE_DIR to one that is."
        )


def _warn_once(message):
    """Warn, unless this process has given the same warning before."""
    if message not in _WARNED:
        _WARNED.add(message)
        warnings.warn(message, UserWarning, stacklevel=2)


class _CheckedFile(caching.IndexDataCacheFile):
    """Cache files that end in their own digest: damaged machine code would crash the process."""

    def _dump(self, obj):
        data = super()._dump(obj)
        return data + hashlib.sha256(data).digest()

    def _load_data(self, name):
        content = Path(self._data_path(name)).read_bytes()
        if hashlib.sha256(content[:-32]).digest() != content[-32:]:
            raise ValueError(f"{name} is damaged")
        return super()._load_data(name)


@cache
def _digest():
    """Digest of all sources: a function changes with those that are compiled into it."""
    digest = hashlib.sha256()
    for path in sorted(_SOURCES.rglob("*.py")):
        digest.update(path.relative_to(_SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class _Cache(caching.FunctionCache):
    """A cache on disk that treats damaged files as missing, and writes them again.

    What it finds was compiled from the same sources, whatever their dates.
    """

    def __init__(self, py_func):
        super().__init__(py_func)
        is_own = _SOURCES in Path(py_func.__code__.co_filename).parents
        stamp = _digest() if is_own else (_digest(), self._cache_file._source_stamp)
        self._make_file = partial(
            _CheckedFile, filename_base=self._impl.filename_base, source_stamp=stamp
        )
        self._cache_file = self._make_file(self._cache_path)

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # damaged files raise anything, from EOFError to errors of LLVM
            self._discard()
            return None

    def _load_overload(self, sig, target_context):
        found = super()._load_overload(sig, target_context)
        if found is None:
            data = _prebuilt.find(self._make_file, self._index_key(sig, target_context.codegen()))
            found = None if data is None else self._impl.rebuild(target_context, data)
        return found

    def save_overload(self, sig, data):
        try:
            super().save_overload(sig, data)
        except Exception:  # such as a full disk; the function itself is compiled already
            self._discard()

    def _discard(self):
        """Remove the files of this function, or stop using the cache where that fails."""
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
