"""Functions of vectors, which the compiled KL prior uses, against extended precision."""

import numpy as np
import pytest

math_ = pytest.importorskip("skdict_sup.kernels._numba._vector_math")
numba = pytest.importorskip("numba")

from skdict_sup.kernels._numba._compile import FAST  # noqa: E402
from skdict_sup.kernels._numba._lowering import Compiler  # noqa: E402
from skdict_sup.kernels._numba._vectors import lanes, load, store  # noqa: E402

pytestmark = pytest.mark.skipif(
    numba.config.DISABLE_JIT, reason="vectors exist in compiled code only"
)


def applied(function, x):
    """Values of a function of vectors, as the kernels compile it."""

    @numba.njit(fastmath=FAST, error_model="numpy", pipeline_class=Compiler)
    def run(x, out):
        for j in range(0, len(x), lanes(x)):
            store(out, j, function(load(x, j)))

    padded = np.concatenate([np.asarray(x, float), np.ones(-len(x) % 8)])
    out = np.empty_like(padded)
    run(padded, out)
    return out[: len(x)]


def numbers(low, high, signed=True, n=4000):
    """Numbers whose magnitudes are spread over powers of ten."""
    rng = np.random.default_rng(0)
    x = 10.0 ** rng.uniform(low, high, n)
    return x * rng.choice([-1, 1], n) if signed else x


@pytest.mark.parametrize(
    ("name", "exact", "x"),
    [
        ("exponential", np.exp, numbers(-20, 2.8)),
        ("logarithm", np.log, numbers(-300, 300, signed=False)),
        ("logarithm", np.log, 1 + numbers(-10, -0.4)),
        ("logarithm_of_one_plus", np.log1p, numbers(-20, -0.31)),
        ("logarithm_of_one_plus", np.log1p, numbers(-20, 300, signed=False)),
        ("hyperbolic_sine", np.sinh, numbers(-300, 2.8)),
        ("inverse_hyperbolic_sine", np.arcsinh, numbers(-300, 300)),
    ],
)
def test_values_are_right_to_some_units_of_rounding(name, exact, x):
    found, expected = applied(getattr(math_, name), x), exact(x.astype(np.longdouble))
    assert (abs(found - expected) <= 4 * np.finfo(float).eps * abs(expected)).all()


def test_the_remainder_of_the_exponential_does_not_cancel():
    x = numbers(-15, 2)
    wide = x.astype(np.longdouble)
    series = sum(wide**k / np.prod(np.arange(1.0, k + 1)) for k in range(2, 20))
    expected = np.where(abs(x) < 0.5, series, np.expm1(wide) - wide)
    found = applied(math_.exponential_remainder, x)
    assert (abs(found - expected) <= 16 * np.finfo(float).eps * abs(expected)).all()


def test_exponentials_out_of_range():
    found = applied(math_.exponential, [-2e300, -np.inf, -746.0, -745.0, 709.7, 710.0, np.inf])
    np.testing.assert_array_equal(found[[0, 1, 2]], 0.0)
    np.testing.assert_array_equal(found[[5, 6]], np.inf)
    assert found[3] == 5e-324
    np.testing.assert_allclose(found[4], np.exp(709.7), rtol=1e-15)
