"""Vectors at the end of a row that is no multiple of a vector long."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._vectors import Vector, entry_pointer, llvm_of

_INDEX = ir.IntType(64)


def _masked(builder, action, vector, result, args, count):
    """Call of LLVM's masked load or store for the first `count` lanes."""
    n_lanes = vector.lanes
    numbers = ir.Constant(ir.VectorType(_INDEX, n_lanes), list(range(n_lanes)))
    last = ir.Constant(ir.VectorType(_INDEX, n_lanes), ir.Undefined)
    last = builder.insert_element(last, count, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), None)
    mask = builder.icmp_signed("<", numbers, builder.shuffle_vector(last, last, zeros))
    align = ir.Constant(ir.IntType(32), vector.dtype.bitwidth // 8)
    if action == "load":
        args = [args[0], align, mask, ir.Constant(llvm_of(vector), None)]
    else:
        args = [*args, align, mask]
    kind = ir.FunctionType(result, [arg.type for arg in args])
    name = f"llvm.masked.{action}.v{n_lanes}f{vector.dtype.bitwidth}.p0"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@intrinsic
def load_row_part(context, matrix, i, j, count):
    """The first `count` lanes of `load_row`, with zeros beside them, which are not read."""
    vector = Vector(matrix.dtype)

    def codegen(context, builder, signature, args):
        place = entry_pointer(context, builder, matrix, args[0], args[1:3], llvm_of(vector))
        return _masked(builder, "load", vector, llvm_of(vector), [place], args[3])

    return vector(matrix, types.int64, types.int64, types.int64), codegen


@intrinsic
def store_row_part(context, matrix, i, j, count, vector):
    """Write the first `count` lanes of a vector, as `store_row` would."""

    def codegen(context, builder, signature, args):
        place = entry_pointer(context, builder, matrix, args[0], args[1:3], llvm_of(vector))
        _masked(builder, "store", vector, ir.VoidType(), [args[4], place], args[3])
        return context.get_dummy_value()

    return types.void(matrix, types.int64, types.int64, types.int64, vector), codegen
