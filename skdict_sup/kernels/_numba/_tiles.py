"""Tiles of a matrix product, whose sums stay in registers, and square tiles of a transpose."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._processor import BYTES, REGISTERS

# rows and vectors of a tile: as many sums as fit into the registers beside their factors
ROWS, VECTORS = (8, 3) if REGISTERS == 32 else (6, 2)
_INT32, _INT64 = ir.IntType(32), ir.IntType(64)


def vector_type(dtype):
    """LLVM type of a vector of a dtype, BYTES long."""
    number = ir.DoubleType() if dtype.bitwidth == 64 else ir.FloatType()
    return ir.VectorType(number, 8 * BYTES // dtype.bitwidth)


def splat_of(builder, number, vector):
    """Vector with a number in every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, _INT32(0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(_INT32, vector.count), None)
    )


def place_of(builder, data, offset, vector):
    """Pointer to the vector that begins at an entry of flat data."""
    return builder.bitcast(builder.gep(data, [offset]), vector.as_pointer())


def _tile(n_rows, n_vectors):
    """Intrinsic for tiles of some rows and vectors."""

    @intrinsic
    def add_tile(context, rows, i, panel, start, first, stop, sums, is_new):
        """Add products of rows[i:i + n_rows] and a panel over columns first to stop to `sums`.

        Entry (r, c) is the sum of rows[i + r, k] * panel[start + k * width + c] over k, one
        product after another, for a width of n_vectors vectors. It is added to sums[r * width + c]
        or, if `is_new`, written to it. At least one column is needed.
        """
        index = (types.int64,) * 3
        signature = types.void(rows, types.int64, panel, *index, sums, types.boolean)
        vector, align = vector_type(rows.dtype), rows.dtype.bitwidth // 8
        n_sums = n_rows * n_vectors

        def codegen(context, builder, signature, args):
            kinds = (rows, args[0]), (panel, args[2]), (sums, args[6])
            X, P, S = (context.make_array(kind)(context, builder, arg) for kind, arg in kinds)
            lines = [builder.add(args[1], _INT64(r)) for r in range(n_rows)]
            heads = [
                cgutils.get_item_pointer(context, builder, rows, X, [line, _INT64(0)])
                for line in lines
            ]
            base = builder.gep(P.data, [args[3]])
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{vector.count}f{rows.dtype.bitwidth}"
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)

            before, loop = builder.basic_block, builder.append_basic_block("columns")
            after = builder.append_basic_block("after")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(_INT64)
            partial = [builder.phi(vector) for _ in range(n_sums)]
            offset = builder.mul(k, _INT64(n_vectors * vector.count))
            places = [builder.add(offset, _INT64(c * vector.count)) for c in range(n_vectors)]
            factors = [
                builder.load(place_of(builder, base, place, vector), align=align)
                for place in places
            ]
            found = []
            for r in range(n_rows):
                entry = splat_of(builder, builder.load(builder.gep(heads[r], [k])), vector)
                for c in range(n_vectors):
                    terms = [entry, factors[c], partial[r * n_vectors + c]]
                    found.append(builder.call(multiply_add, terms))
            following = builder.add(k, _INT64(1))
            k.add_incoming(args[4], before)
            k.add_incoming(following, loop)
            for old, new in zip(partial, found, strict=True):
                old.add_incoming(ir.Constant(vector, None), before)
                old.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", following, args[5]), loop, after)

            builder.position_at_end(after)
            offsets = [_INT64(h * vector.count) for h in range(n_sums)]
            places = [place_of(builder, S.data, offset, vector) for offset in offsets]
            with builder.if_else(args[7]) as (is_first, is_later):
                with is_first:
                    for value, place in zip(found, places, strict=True):
                        builder.store(value, place, align=align)
                with is_later:
                    for value, place in zip(found, places, strict=True):
                        total = builder.fadd(builder.load(place, align=align), value)
                        builder.store(total, place, align=align)
            return context.get_dummy_value()

        return signature, codegen

    return add_tile


add_tile = _tile(ROWS, VECTORS)
add_narrow_tile = _tile(ROWS, 1)
add_row = _tile(1, VECTORS)
add_narrow_row = _tile(1, 1)


@intrinsic
def transpose_tile(context, rows, i, k, out, start, stride):
    """Write a square of a matrix, as long as a vector, to a flat array, transposed.

    Entry (r, c) of the square that begins at rows[i, k] goes to out[start + c * stride + r].
    """
    index = (types.int64,) * 2
    vector, align = vector_type(rows.dtype), rows.dtype.bitwidth // 8
    count = vector.count

    def codegen(context, builder, signature, args):
        X = context.make_array(rows)(context, builder, args[0])
        Y = context.make_array(out)(context, builder, args[3])
        lines = []
        for r in range(count):
            place = [builder.add(args[1], _INT64(r)), args[2]]
            head = cgutils.get_item_pointer(context, builder, rows, X, place)
            head = builder.bitcast(head, vector.as_pointer())
            lines.append(builder.load(head, align=align))
        low = [h // 2 + (h % 2) * count for h in range(count)]
        mask = ir.VectorType(_INT32, count)
        halves = [ir.Constant(mask, [h + s for h in low]) for s in (0, count // 2)]
        for _ in range(count.bit_length() - 1):  # each round interleaves the halves of the lines
            pairs = zip(lines[: count // 2], lines[count // 2 :], strict=True)
            lines = [builder.shuffle_vector(a, b, half) for a, b in pairs for half in halves]
        for c, line in enumerate(lines):
            offset = builder.add(args[4], builder.mul(args[5], _INT64(c)))
            builder.store(line, place_of(builder, Y.data, offset, vector), align=align)
        return context.get_dummy_value()

    return types.void(rows, *index, out, *index), codegen
