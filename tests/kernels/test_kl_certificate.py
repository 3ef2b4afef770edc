"""The compiled certificate of KL codes against its reference, and against extended precision."""

import numpy as np
import pytest

from skdict_sup.kernels import kl_certificate

CROSSED = ("kl_certificate",)
LEAST = float(np.finfo(float).smallest_normal / np.finfo(float).eps)  # that floats resolve

every_sign = pytest.mark.parametrize("positive", [False, True], ids=["signed", "positive"])


def gradient(code, lam, mean, positive):
    if positive:
        return lam * np.log(np.maximum(code, LEAST) / mean)
    return lam * np.arcsinh(code / (2 * mean))


def draw(seed, n, p, positive, deviation):
    """Codes over many orders of magnitude, with slopes at a distance from phi'."""
    rng = np.random.default_rng(seed)
    lam, mean = 10.0 ** rng.uniform(-3, 2), 10.0 ** rng.uniform(-8, 1, p)
    code = mean * 10.0 ** rng.uniform(-4, 6, (n, p)) * rng.choice([-1, 1], (n, p))
    if positive:
        code = np.abs(code)
        code[:, 0], code[:, 1:3] = 0.0, mean[1:3] * (1 + rng.uniform(-1e-6, 1e-6, (n, 2)))
    slope = gradient(code, lam, mean, positive) + deviation * lam * rng.normal(size=(n, p))
    corr, error = rng.normal(size=(n, p)), np.full(n, 1e-13 * lam)
    return corr, code, slope, error, 0.0, lam, mean, positive


@every_sign
@pytest.mark.parametrize("p", [3, 8, 31, 33, 64])
@pytest.mark.parametrize("deviation", [1e-9, 1e-3, 1.0, 30.0])
def test_the_compiled_version_equals_the_reference(positive, p, deviation):
    given = draw(p, 9, p, positive, deviation)
    corr, code, slope, error, least, lam, mean, _ = given
    size = np.abs(gradient(code, lam, mean, positive)).max() + np.abs(slope).max()
    unit = np.finfo(np.float64).eps
    for bound in (error, None):
        arguments = corr, code, slope, bound, least, lam, mean, positive
        found, expected = kl_certificate(*arguments), kl_certificate.reference(*arguments)
        np.testing.assert_allclose(found[0], expected[0], atol=16 * unit * size)
        np.testing.assert_array_equal(found[1], expected[1])
        relative = max(1e-9, 64 * unit * size / (deviation * lam), 64 * unit)
        np.testing.assert_allclose(found[2], expected[2], rtol=4 * relative, atol=1e-30)
        for mine, other in zip(found[3:], expected[3:], strict=True):
            np.testing.assert_allclose(mine, other, rtol=max(1e-12, 64 * unit))


@every_sign
@pytest.mark.parametrize("p", [3, 8, 33])
def test_float32_is_computed_in_float64(positive, p):
    corr, code, slope, _, least, lam, mean, _ = draw(p, 9, p, positive, 0.3)
    code[code == 0] = mean.min()
    single = [a.astype(np.float32) for a in (corr, code, slope, mean)]
    corr, code, slope, mean = (a.astype(np.float64) for a in single)
    expected = kl_certificate.reference(corr, code, slope, None, least, lam, mean, positive)
    found = kl_certificate(*single[:3], None, least, lam, single[3], positive)
    for mine, other in zip(found, expected, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=1e-6)


@every_sign
def test_violations_and_gaps_are_not_below_those_of_extended_precision(positive):
    for deviation in (1e-15, 1e-12, 1e-8, 1e-2):
        _, code, slope, *_, lam, mean, _ = given = draw(1, 50, 17, positive, deviation)
        code, slope, mean = (a.astype(np.longdouble) for a in (code, slope, mean))
        distance = slope - gradient(code, lam, mean, positive)
        counted = np.where(code == 0, np.maximum(distance, 0), np.abs(distance))
        violation, _, gap, *_ = kl_certificate(*given)
        assert (violation >= counted.max(axis=1)).all()
        ratio = distance / lam
        if positive:
            terms = code * (np.expm1(ratio) - ratio)
        else:
            root = np.hypot(code, 2 * mean)
            terms = (root + code) / 2 * (np.expm1(ratio) - ratio)
            terms += (root - code) / 2 * (np.expm1(-ratio) + ratio)
        assert (gap >= (1 - 1e-12) * lam * terms.sum(axis=1) - 1e-17 * lam * mean.max()).all()


@every_sign
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_numbers_that_are_not_finite_give_no_certificate(positive, bad, where):
    given = list(draw(2, 4, 11, positive, 1e-3))
    whole = kl_certificate(*given)
    given[where] = given[where].copy()
    given[where][1, 5] = bad
    found = kl_certificate(*given)
    for mine, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(np.delete(mine, 1), np.delete(other, 1))
    violation, top, gap, penalty, *_ = (part[1] for part in found)
    assert not np.isfinite(violation + top + gap + penalty)


@pytest.mark.numpy_alone("a promise for NumPy")
@every_sign
def test_certificates_do_not_depend_on_each_other(positive):
    given = list(draw(3, 20, 40, positive, 1e-4))
    whole = kl_certificate(*given)
    for rows in (slice(0, 1), slice(7, 20)):
        part = [a[rows] for a in given[:4]] + given[4:]
        for mine, other in zip(kl_certificate(*part), whole, strict=True):
            np.testing.assert_array_equal(mine, other[rows])
