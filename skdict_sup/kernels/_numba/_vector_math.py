"""Exponential functions and logarithms of explicit vectors of float64, to a few units of rounding.

The compiler knows them for single numbers only, which take ten times as long.
"""

import math

from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from ._compile import INTERNAL, compiled
from ._vectors import Vector, less, magnitude, select, splat

_LOG2_E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is log 2
_SHIFT = 6755399441055744.0  # 1.5 * 2**52: adding it rounds a number to an integer in its low bits
_SHIFT_BITS = 0x4338000000000000
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD  # the bits of sqrt(0.5)
_MOST = 2000.0 * 0.6931471805599453  # beyond it, exp is zero or infinite
_EXP_SERIES = tuple(1.0 / math.factorial(n) for n in range(13, 1, -1))
_SINH_SERIES = tuple(1.0 / math.factorial(n) for n in range(17, 1, -2))
# coefficients of fdlibm: log(1 + f) = 2 s + s R(s^2) with s = f / (2 + f)
_LOG_SERIES = (
    1.479819860511658591e-01,
    1.531383769920937332e-01,
    1.818357216161805012e-01,
    2.222219843214978396e-01,
    2.857142874366239149e-01,
    3.999999999940941908e-01,
    6.666666666666735130e-01,
)


class _Writer:
    """Writes instructions on vectors, in the order given: sums must not be reordered here."""

    def __init__(self, builder, vector):
        self.builder, self.vector = builder, vector
        self.kind = ir.VectorType(ir.DoubleType(), vector.lanes)
        self.bits = ir.VectorType(ir.IntType(64), vector.lanes)

    def number(self, value):
        return ir.Constant(self.kind, [value] * self.vector.lanes)

    def integer(self, value):
        return ir.Constant(self.bits, [value] * self.vector.lanes)

    # a flag that changes nothing keeps numba from adding those that allow another order
    def add(self, a, b):
        return self.builder.fadd(a, b, flags=("nsz",))

    def subtract(self, a, b):
        return self.builder.fsub(a, b, flags=("nsz",))

    def multiply(self, a, b):
        return self.builder.fmul(a, b, flags=("nsz",))

    def divide(self, a, b):
        return self.builder.fdiv(a, b, flags=("nsz",))

    def call(self, name, *args):
        kind = ir.FunctionType(self.kind, [self.kind] * len(args))
        name = f"llvm.{name}.v{self.vector.lanes}f64"
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, kind, name), args
        )

    def multiply_add(self, a, b, c):
        return self.call("fmuladd", a, b, c)

    def polynomial(self, x, coefficients):
        """Value at x of a polynomial whose coefficients are given from the highest power on."""
        first, *others = coefficients
        value = self.number(first)
        for coefficient in others:
            value = self.multiply_add(value, x, self.number(coefficient))
        return value

    def power_of_two(self, exponent):
        """2 to integers between -1022 and 1023."""
        biased = self.builder.add(exponent, self.integer(1023))
        return self.builder.bitcast(self.builder.shl(biased, self.integer(52)), self.kind)


def _exp(write, x):
    """exp(x); zero or infinite out of the range of floats."""
    b = write.builder
    x = write.call("minnum", write.call("maxnum", x, write.number(-_MOST)), write.number(_MOST))
    shifted = write.multiply_add(x, write.number(_LOG2_E), write.number(_SHIFT))
    count = write.subtract(shifted, write.number(_SHIFT))
    r = write.multiply_add(count, write.number(-_LN2_HIGH), x)
    r = write.multiply_add(count, write.number(-_LN2_LOW), r)
    value = write.polynomial(r, _EXP_SERIES)
    value = write.multiply_add(write.multiply(r, r), value, r)
    value = write.add(value, write.number(1.0))
    exponent = b.sub(b.bitcast(shifted, write.bits), write.integer(_SHIFT_BITS))
    half = b.ashr(exponent, write.integer(1))
    # two factors: the result may be a float where one of them would not be
    value = write.multiply(value, write.power_of_two(half))
    return write.multiply(value, write.power_of_two(b.sub(exponent, half)))


def _log(write, x):
    """log(x) for positive floats that are not denormal; a large number for infinity."""
    b = write.builder
    bits = b.bitcast(x, write.bits)
    exponent = b.ashr(b.sub(bits, write.integer(_ROOT_HALF_BITS)), write.integer(52))
    fraction = b.bitcast(b.sub(bits, b.shl(exponent, write.integer(52))), write.kind)
    count = b.bitcast(b.add(exponent, write.integer(_SHIFT_BITS)), write.kind)
    count = write.subtract(count, write.number(_SHIFT))
    f = write.subtract(fraction, write.number(1.0))
    s = write.divide(f, write.add(f, write.number(2.0)))
    square = write.multiply(s, s)
    series = write.multiply(square, write.polynomial(square, _LOG_SERIES))
    half = write.multiply(write.multiply(f, f), write.number(0.5))
    low = write.multiply(count, write.number(_LN2_LOW))
    inner = write.multiply_add(s, write.add(half, series), low)
    inner = write.subtract(write.subtract(half, inner), f)
    return write.subtract(write.multiply(count, write.number(_LN2_HIGH)), inner)


def _log1p(write, x):
    """log(1 + x) for x >= -1/2."""
    one = write.number(1.0)
    total = write.add(one, x)
    lost = write.subtract(x, write.subtract(total, one))
    lost = write.call("minnum", write.call("maxnum", lost, write.number(-1.0)), one)
    return write.add(_log(write, total), write.divide(lost, total))


def _asinh(write, x):
    """asinh(x), for numbers whose double is finite."""
    size, one = write.call("fabs", x), write.number(1.0)
    bounded = write.call("minnum", size, write.number(1e150))  # whose square is finite
    root = write.call("sqrt", write.multiply_add(bounded, bounded, one))
    share = write.divide(bounded, write.add(one, root))
    return write.call("copysign", _log1p(write, write.multiply_add(size, share, size)), x)


def _sinh_series(write, x):
    """sinh(x) for abs(x) <= 1."""
    square = write.multiply(x, x)
    series = write.multiply(square, write.polynomial(square, _SINH_SERIES))
    return write.multiply_add(x, series, x)


def _exp_series(write, x):
    """exp(x) - 1 - x for abs(x) <= 0.4."""
    return write.multiply(write.multiply(x, x), write.polynomial(x, _EXP_SERIES))


def _function(compute):
    """Intrinsic for a function of vectors of float64."""

    @intrinsic
    def of_vector(context, x):
        def codegen(context, builder, signature, args):
            return compute(_Writer(builder, x), args[0])

        return (x(x), codegen) if isinstance(x, Vector) else None

    return of_vector


def _function_of_two(name):
    """Intrinsic for an instruction of LLVM on two vectors of float64."""

    @intrinsic
    def of_vectors(context, a, b):
        def codegen(context, builder, signature, args):
            return _Writer(builder, a).call(name, *args)

        return (a(a, b), codegen) if isinstance(a, Vector) and a == b else None

    return of_vectors


exponential, logarithm, inverse_hyperbolic_sine = map(_function, (_exp, _log, _asinh))
logarithm_of_one_plus = _function(_log1p)
square_root = _function(lambda write, x: write.call("sqrt", x))
sinh_series, exponential_series = map(_function, (_sinh_series, _exp_series))
minimum, maximum, with_sign = map(_function_of_two, ("minnum", "maxnum", "copysign"))


@compiled(**INTERNAL)
def hyperbolic_sine(x):
    """sinh(x)."""
    one = splat(1.0)
    size = exponential(magnitude(x))
    large = with_sign(splat(0.5) * (size - one / size), x)
    return select(less(magnitude(x), one), sinh_series(x), large)


@compiled(**INTERNAL)
def hypotenuse(a, b):
    """sqrt(a^2 + b^2) for a and b >= 0, not both zero, without squares out of range."""
    large = maximum(a, b)
    ratio = minimum(a, b) / large
    return large * square_root(splat(1.0) + ratio * ratio)


@compiled(**INTERNAL)
def exponential_remainder(x):
    """exp(x) - 1 - x without cancellation."""
    is_small = less(magnitude(x), splat(0.4))
    series = exponential_series(select(is_small, x, splat(0.0)))
    return select(is_small, series, exponential(x) - splat(1.0) - x)
