"""How functions are translated to machine code: once, together with all that they call."""

from llvmlite.binding import Linkage
from numba import _dynfunc
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering


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


@register_pass(mutates_CFG=True, analysis_only=False)
class _InternalLowering(NativeLowering):
    """Numba's lowering pass without optimisation and machine code.

    Functions that only compiled functions call are optimised where they are called.
    """

    _name = "native_lowering_of_internal_functions"

    def run_pass(self, state):
        """Lower a function to LLVM."""
        context, flags = state.targetctx, state.flags
        library = state.library = context.codegen().create_library(state.func_id.func_qualname)
        library._optimize_final_module = lambda: None
        library._finalize_final_module = lambda: _finish(library)
        flags.no_compile = True
        super().run_pass(state)
        found = state["cr"]
        module, name = found.fndesc.lookup_module(), found.fndesc.qualname.split(".")[-1]
        function = _dynfunc.make_function(module, name, "", 0, found.env, (library,))
        context.insert_user_function(function, found.fndesc, [library])
        state["cr"] = found._replace(cfunc=function)
        return True


def _finish(library):
    """Make the module of a library ready to be linked, not to be run."""
    library._finalize_dynamic_globals()
    library._finalized = True


class Compiler(CompilerBase):
    """Numba's compiler, for functions that are called from Python."""

    lowering = _NativeLowering

    def define_pipelines(self):
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        replacements = {NativeLowering: self.lowering}
        passes.passes = [(replacements.get(one, one), label) for one, label in passes.passes]
        passes.finalize()
        return [passes]


class InternalCompiler(Compiler):
    """The same for functions that only compiled functions call."""

    lowering = _InternalLowering
