"""Explicit SIMD vectors for numba, as long as the registers of the processor.

The solvers of exact codes are loops over short rows of several arrays. Written one number at a
time they run at a third of the speed, because the compiler cannot prove that the arrays do not
overlap. Reading a row through its matrix, instead of slicing the matrix, avoids reference counts.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from ._compile import FAST
from ._processor import BYTES

_INDEX = ir.IntType(64)


class Vector(types.Type):
    """Numba type of a vector of floats, BYTES long; "wide" vectors are float64 for any array."""

    def __init__(self, dtype):
        self.dtype, self.lanes = dtype, 8 * BYTES // dtype.bitwidth
        super().__init__(f"Vector({dtype})")


class Mask(types.Type):
    """Numba type of a mask: one truth value for each lane of a vector."""

    def __init__(self, lanes):
        self.lanes = lanes
        super().__init__(f"Mask({lanes})")


def _scalar(dtype):
    """LLVM type of a number."""
    return ir.DoubleType() if dtype.bitwidth == 64 else ir.FloatType()


def llvm_of(vector):
    """LLVM type of a vector."""
    return ir.VectorType(_scalar(vector.dtype), vector.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is an LLVM vector."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, llvm_of(kind))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    """A mask is an LLVM vector of bits."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.lanes))


def entry_pointer(context, builder, kind, array, index, stored):
    """Pointer to an entry of an array, cast to a pointer to vectors."""
    data = context.make_array(kind)(context, builder, array)
    entry = cgutils.get_item_pointer(context, builder, kind, data, index)
    return builder.bitcast(entry, stored.as_pointer())


def _access(dimensions, wide):
    """Typing functions of (load, store) for arrays of one or two dimensions."""
    index = (types.int64,) * dimensions

    def types_of(array):
        vector = Vector(types.float64 if wide else array.dtype)
        return vector, ir.VectorType(_scalar(array.dtype), vector.lanes), array.dtype.bitwidth // 8

    def load(array):
        vector, stored, align = types_of(array)

        def codegen(context, builder, signature, args):
            pointer = entry_pointer(context, builder, array, args[0], args[1:], stored)
            value = builder.load(pointer, align=align)
            return value if stored == llvm_of(vector) else builder.fpext(value, llvm_of(vector))

        return vector(array, *index), codegen

    def store(array):
        vector, stored, align = types_of(array)

        def codegen(context, builder, signature, args):
            pointer = entry_pointer(context, builder, array, args[0], args[1:-1], stored)
            value = args[-1] if stored == llvm_of(vector) else builder.fptrunc(args[-1], stored)
            builder.store(value, pointer, align=align)
            return context.get_dummy_value()

        return types.void(array, *index, vector), codegen

    return load, store


_load, _store = _access(1, wide=False)
_load_row, _store_row = _access(2, wide=False)
_load_wide, _store_wide = _access(1, wide=True)
_load_row_wide, _ = _access(2, wide=True)


@intrinsic
def load(context, array, j):
    """Vector of array[j], array[j + 1] and so on."""
    return _load(array)


@intrinsic
def load_row(context, matrix, i, j):
    """Vector of matrix[i, j], matrix[i, j + 1] and so on."""
    return _load_row(matrix)


@intrinsic
def load_wide(context, array, j):
    """`load`, converted to float64."""
    return _load_wide(array)


@intrinsic
def load_row_wide(context, matrix, i, j):
    """`load_row`, converted to float64."""
    return _load_row_wide(matrix)


@intrinsic
def store(context, array, j, vector):
    """Write a vector to array[j], array[j + 1] and so on."""
    return _store(array)


@intrinsic
def store_row(context, matrix, i, j, vector):
    """Write a vector to matrix[i, j], matrix[i, j + 1] and so on."""
    return _store_row(matrix)


@intrinsic
def store_wide(context, array, j, vector):
    """`store` of a float64 vector, rounded to the dtype of the array."""
    return _store_wide(array)


@intrinsic
def lanes(context, array):
    """Number of lanes in a vector of the array's dtype."""
    count = 8 * BYTES // array.dtype.bitwidth

    def codegen(context, builder, signature, args):
        return context.get_constant(types.int64, count)

    return types.int64(array), codegen


@intrinsic
def splat(context, number):
    """Vector with the same number in every lane."""
    vector = Vector(number)

    def codegen(context, builder, signature, args):
        undefined = ir.Constant(llvm_of(vector), ir.Undefined)
        first = builder.insert_element(undefined, args[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), vector.lanes), None)
        return builder.shuffle_vector(first, undefined, zeros)

    return vector(number), codegen


def _arithmetic(symbol, instruction):
    """Define an operator on vectors by an LLVM instruction, without a function to compile."""

    class Operator(AbstractTemplate):
        def generic(self, args, kws):
            a, *others = args
            if isinstance(a, Vector) and others == [a]:
                return signature(a, a, a)
            return None

    infer_global(symbol)(Operator)

    def lower(context, builder, signature, args):
        return getattr(builder, instruction)(*args, flags=tuple(FAST))

    lower_builtin(symbol, Vector, Vector)(lower)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _arithmetic(_symbol, _instruction)


def _comparison(symbol):
    """Code generator of a comparison of two vectors; false where one is NaN."""

    def codegen(context, builder, signature, args):
        return builder.fcmp_ordered(symbol, *args)

    return codegen


@intrinsic
def less(context, a, b):
    """Mask of the lanes where a < b."""
    return Mask(a.lanes)(a, b), _comparison("<")


@intrinsic
def equal(context, a, b):
    """Mask of the lanes where a == b."""
    return Mask(a.lanes)(a, b), _comparison("==")


@intrinsic
def mask_and(context, a, b):
    """Logical and of two masks."""

    def codegen(context, builder, signature, args):
        return builder.and_(*args)

    return a(a, b), codegen


@intrinsic
def select(context, mask, a, b):
    """Lanes of a where the mask is true, and of b elsewhere."""

    def codegen(context, builder, signature, args):
        return builder.select(*args)

    return a(mask, a, b), codegen


def _call(builder, name, vector, result, args):
    """Call of an LLVM intrinsic on one vector."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    name = f"llvm.{name}.v{vector.lanes}f{vector.dtype.bitwidth}"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


@intrinsic
def magnitude(context, a):
    """Absolute values of the lanes."""

    def codegen(context, builder, signature, args):
        return _call(builder, "fabs", a, llvm_of(a), args)

    return a(a), codegen


@intrinsic
def multiply_add(context, a, b, c):
    """Lanes of a b + c, rounded once where the processor can, in every place alike."""

    def codegen(context, builder, signature, args):
        return _call(builder, "fmuladd", a, llvm_of(a), args)

    return a(a, b, c), codegen


@intrinsic
def reduce_add(context, a):
    """Sum of the lanes."""

    def codegen(context, builder, signature, args):
        value, width = args[0], a.lanes
        while width > 1:
            width //= 2
            halves = [
                builder.shuffle_vector(
                    value,
                    value,
                    ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(k, k + width))),
                )
                for k in (0, width)
            ]
            value = builder.fadd(*halves)
        return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return a.dtype(a), codegen


def _extreme(name):
    """Typing function of the intrinsic that reduces a vector to its smallest or largest lane."""

    def typed(context, a):
        def codegen(context, builder, signature, args):
            return _call(builder, f"vector.reduce.{name}", a, _scalar(a.dtype), args)

        return a.dtype(a), codegen

    return typed


reduce_min = intrinsic(_extreme("fmin"))
reduce_max = intrinsic(_extreme("fmax"))


@intrinsic
def extract_lane(context, a, index):
    """The lane of a vector at an index."""

    def codegen(context, builder, signature, args):
        return builder.extract_element(args[0], builder.trunc(args[1], ir.IntType(32)))

    return a.dtype(a, types.int64), codegen


@intrinsic
def movemask(context, mask):
    """Integer whose lowest bits are the lanes of a mask."""

    def codegen(context, builder, signature, args):
        return builder.zext(builder.bitcast(args[0], ir.IntType(mask.lanes)), _INDEX)

    return types.int64(mask), codegen


@intrinsic
def ctz(context, integer):
    """Number of trailing zeros of a nonzero integer: the index of its lowest bit."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), codegen
