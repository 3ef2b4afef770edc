"""The decorator of all compiled functions, its options, and a cache on disk that may fail."""

import hashlib
import os
import warnings
from pathlib import Path

from llvmlite.binding import Linkage
from numba import njit
from numba.core import caching
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

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


class _Lowering(Lower):
    """Translates a function to LLVM so that it calls its own copies of other functions only.

    The copies are optimised together with the code around them. With the weak symbols that numba
    gives them, the linker might replace a copy by another definition of the same name: the
    function compiled by itself, or the copy of another caller. Those round sums in another order,
    so that bits would depend on what was compiled or read from the cache before.
    """

    def lower(self):
        super().lower()
        library = self.library
        module = library._final_module
        for other in dict.fromkeys(library._linking_libraries):
            module.link_in(other._get_module_for_linking(), preserve=True)
        library._linking_libraries.clear()
        for function in module.functions:
            if function.linkage == Linkage.linkonce_odr:
                function.linkage = "internal"


@register_pass(mutates_CFG=True, analysis_only=False)
class _NativeLowering(NativeLowering):
    """Numba's lowering pass, by `_Lowering`."""

    _name = "native_lowering_with_own_copies"
    lowering_class = _Lowering


class _Compiler(CompilerBase):
    """Numba's compiler, for functions that are called from Python."""

    def define_pipelines(self):
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        replacements = {NativeLowering: _NativeLowering}
        passes.passes = [(replacements.get(one, one), label) for one, label in passes.passes]
        passes.finalize()
        return [passes]


def compiled(**options):
    """`numba.njit` with a cache on disk; without a writable folder, functions run uncached.

    The machine code of a function, and with it each bit of what it returns, does not depend on
    whether it was compiled in this process or read from the cache.
    """
    cached = options.pop("cache")
    if cached:
        options["pipeline_class"] = _Compiler

    def decorate(function):
        compiled_function = njit(**options)(function)
        if cached and hasattr(compiled_function, "py_func"):  # plain with NUMBA_DISABLE_JIT
            _enable_cache(compiled_function)
        return compiled_function

    return decorate


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


class _Cache(caching.FunctionCache):
    """A cache on disk that treats damaged files as missing, and writes them again."""

    def __init__(self, py_func):
        super().__init__(py_func)
        plain = self._cache_file
        self._cache_file = _CheckedFile(
            self._cache_path, self._impl.filename_base, plain._source_stamp
        )

    def load_overload(self, sig, target_context):
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # damaged files raise anything, from EOFError to errors of LLVM
            self._discard()
            return None

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
