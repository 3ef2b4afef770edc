"""Sums over the nonzeros of a row, many columns of a panelled matrix at once, in registers."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from ._compile import INTERNAL, compiled
from ._tiles import VECTORS, place_of, splat_of, vector_type
from ._vectors import ctz, equal, lanes, load_row, movemask, splat

CHUNK = 64  # rows of a matrix that stay in the first-level cache for several rows of a product
PANELS = 3  # panels that a row is multiplied by at once: the sums fill the registers
_INT64 = ir.IntType(64)


def _chunk(n_panels, n_vectors):
    """Intrinsic for panels of some vectors, some panels at once."""

    @intrinsic
    def add_chunk(context, values, places, first, stop, panels, start, stride, sums, at, is_new):
        """Add values[r] times line places[r] of each panel to sums[at:], for r in first:stop.

        Panel q begins at panels[start + q * stride]. The terms are added one after another to what
        `sums` has, or to zero if `is_new`: they are those of a dense product, in its order.
        """
        index = (types.int64,) * 2
        arrays = values, places, *index, panels, *index, sums
        signature = types.void(*arrays, types.int64, types.boolean)
        vector, align = vector_type(values.dtype), values.dtype.bitwidth // 8
        width = n_vectors * vector.count

        def codegen(context, builder, signature, args):
            kinds = zip((values, places, panels, sums), (0, 1, 4, 7), strict=True)
            V, K, P, S = (context.make_array(k)(context, builder, args[a]).data for k, a in kinds)
            lines = [
                builder.add(args[5], builder.mul(args[6], _INT64(q))) for q in range(n_panels)
            ]
            heads = [builder.gep(P, [line]) for line in lines]
            sums_at = [
                place_of(builder, builder.gep(S, [args[8]]), _INT64(h * vector.count), vector)
                for h in range(n_panels * n_vectors)
            ]
            zero = ir.Constant(vector, None)
            begun = [
                builder.select(args[9], zero, builder.load(place, align=align))
                for place in sums_at
            ]
            kind = ir.FunctionType(vector, [vector] * 3)
            name = f"llvm.fmuladd.v{vector.count}f{values.dtype.bitwidth}"
            multiply_add = cgutils.get_or_insert_function(builder.module, kind, name)

            before, head = builder.basic_block, builder.append_basic_block("head")
            body, after = (builder.append_basic_block(name) for name in ("terms", "after"))
            builder.branch(head)
            builder.position_at_end(head)
            r = builder.phi(_INT64)
            partial = [builder.phi(vector) for _ in sums_at]
            builder.cbranch(builder.icmp_signed("<", r, args[3]), body, after)
            builder.position_at_end(body)
            entry = splat_of(builder, builder.load(builder.gep(V, [r])), vector)
            offset = builder.mul(builder.load(builder.gep(K, [r])), _INT64(width))
            found = []
            for q in range(n_panels):
                for c in range(n_vectors):
                    shift = builder.add(offset, _INT64(c * vector.count))
                    place = place_of(builder, heads[q], shift, vector)
                    terms = [entry, builder.load(place, align=align), partial[len(found)]]
                    found.append(builder.call(multiply_add, terms))
            following = builder.add(r, _INT64(1))
            r.add_incoming(args[2], before)
            r.add_incoming(following, body)
            for sum_, old, new in zip(partial, begun, found, strict=True):
                sum_.add_incoming(old, before)
                sum_.add_incoming(new, body)
            builder.branch(head)

            builder.position_at_end(after)
            for value, place in zip(partial, sums_at, strict=True):
                builder.store(value, place, align=align)
            return context.get_dummy_value()

        return signature, codegen

    return add_chunk


add_panels = _chunk(PANELS, VECTORS)
add_panel = _chunk(1, VECTORS)
add_vector = _chunk(1, 1)


@compiled(**INTERNAL)
def collect(rows, i, at, values, places, starts, line):
    """Write the nonzeros of row i from `at` on, and where each chunk of them begins."""
    m, L, zero = rows.shape[1], lanes(rows), rows.dtype.type(0)
    k = at
    for chunk in range(0, m, CHUNK):
        starts[line, chunk // CHUNK] = k
        j, stop = chunk, min(m, chunk + CHUNK)
        while j + L <= stop:
            matches = movemask(equal(load_row(rows, i, j), splat(zero))) ^ ((1 << L) - 1)
            while matches:
                place = j + ctz(matches)
                places[k] = place
                values[k] = rows[i, place]
                k += 1
                matches &= matches - 1
            j += L
        while j < stop:
            if rows[i, j] != zero:
                places[k], values[k] = j, rows[i, j]
                k += 1
            j += 1
    starts[line, -(-m // CHUNK)] = k
    return k
