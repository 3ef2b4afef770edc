"""Losses: their gradients, their shape, their probabilities, at any score and in any library."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skdict_sup.losses import CLASSIFICATION_LOSSES, Logistic, Softmax, Square, SquaredHinge
from skdict_sup.losses.smoothed import Smoothed

LOSSES = {"square": Square(), **CLASSIFICATION_LOSSES}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
MARGIN = 1e-3  # from the kink in the slope of the squared hinge, at a margin of one


def targets(loss, n_samples, n_outputs, rng):
    """Targets that a loss is for: numbers, one-hot rows or signs."""
    if isinstance(loss, Square):
        return rng.normal(size=(n_samples, n_outputs))
    if loss.margins:
        return rng.choice([-1.0, 1.0], size=(n_samples, n_outputs))
    return np.eye(n_outputs)[rng.integers(n_outputs, size=n_samples)]


@st.composite
def scored(draw, most=5.0):
    """A shape, scores of it, and a generator for the targets."""
    shape = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    scores = draw(arrays(np.float64, shape, elements=st.floats(-most, most, width=32)))
    return scores, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@every_loss
@given(scored())
def test_gradients_are_derivatives(loss, drawn):
    scores, rng = drawn
    target = targets(loss, *scores.shape, rng)
    if isinstance(loss, SquaredHinge):
        assume(np.abs(1 - target * scores).min() > MARGIN)
    expected = np.empty_like(scores)
    step = 1e-4
    for place in np.ndindex(scores.shape):
        move = np.zeros_like(scores)
        move[place] = step
        at = [loss.value(scores + k * move, target)[place[0]] for k in (-2, -1, 1, 2)]
        expected[place] = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * step)
    np.testing.assert_allclose(loss.gradient(scores, target), expected, rtol=1e-8, atol=1e-9)


@every_loss
@given(scored(), st.integers(0, 2**32 - 1))
def test_losses_are_convex_and_not_negative(loss, drawn, seed):
    a, rng = drawn
    target = targets(loss, *a.shape, rng)
    b = a + np.random.default_rng(seed).normal(size=a.shape)
    at_a, at_b, between = (loss.value(s, target) for s in (a, b, 0.5 * (a + b)))
    assert (between <= 0.5 * (at_a + at_b) + 1e-12).all()
    # above the tangent at any point, and above zero
    tangent = at_a + (loss.gradient(a, target) * (b - a)).sum(axis=1)
    assert (at_b >= tangent - 1e-12).all()
    assert (at_a >= -1e-15).all()


@every_loss
def test_each_sample_has_its_own_loss(loss):
    rng = np.random.default_rng(0)
    scores, target = rng.normal(size=(6, 3)), targets(loss, 6, 3, rng)
    value, gradient = loss.value(scores, target), loss.gradient(scores, target)
    assert (value.shape, gradient.shape) == ((6,), (6, 3))
    for i in range(6):
        row = slice(i, i + 1)
        np.testing.assert_array_equal(loss.value(scores[row], target[row]), value[row])
        np.testing.assert_array_equal(loss.gradient(scores[row], target[row]), gradient[row])


@given(arrays(np.float64, (5, 2), elements=st.floats(-30, 30)), st.integers(0, 31))
def test_softmax_of_two_is_logistic_of_the_difference(scores, labels):
    label = np.array([labels >> i & 1 for i in range(5)])
    one_hot, sign = np.eye(2)[label], 2.0 * label[:, None] - 1
    difference = scores[:, 1:] - scores[:, :1]
    softmax, logistic = Softmax(), Logistic()
    np.testing.assert_allclose(
        softmax.value(scores, one_hot), logistic.value(difference, sign), rtol=1e-12, atol=1e-12
    )
    np.testing.assert_allclose(
        softmax.gradient(scores, one_hot)[:, 1:],
        logistic.gradient(difference, sign),
        rtol=1e-12,
        atol=1e-12,
    )
    np.testing.assert_allclose(
        softmax.probabilities(scores), logistic.probabilities(difference), rtol=1e-12
    )


def test_softmax_does_not_see_a_shift_of_the_scores():
    scores, target = np.random.default_rng(0).normal(size=(5, 4)), np.eye(4)[[0, 1, 2, 3, 0]]
    loss = Softmax()
    for shift in (-1e3, 7.0, 1e3):
        np.testing.assert_allclose(
            loss.value(scores + shift, target), loss.value(scores, target), rtol=1e-11
        )
    np.testing.assert_allclose(loss.gradient(scores, target).sum(axis=1), 0, atol=1e-15)


def test_squared_hinge_is_flat_beyond_the_margin():
    loss, target = SquaredHinge(), np.array([[1.0], [-1.0], [1.0]])
    scores = np.array([[1.5], [-2.0], [0.25]])
    np.testing.assert_array_equal(loss.value(scores, target), [0, 0, 0.5 * 0.75**2])
    np.testing.assert_array_equal(loss.gradient(scores, target), [[0], [0], [-0.75]])
    assert not hasattr(loss, "probabilities")


# --- large scores -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_loss
def test_large_scores_do_not_overflow(loss, dtype):
    scores = np.array([[1e3, -1e3], [-1e3, 1e3], [1e3, 1e3]], dtype)
    target = (
        np.array([[1, 0], [1, 0], [0, 1]]) if loss is LOSSES["softmax"] else np.ones((3, 2))
    ).astype(dtype)
    value, gradient = loss.value(scores, target), loss.gradient(scores, target)
    assert value.dtype == gradient.dtype == dtype
    expected = {
        "softmax": [0, 2e3, np.log(2)],
        "logistic": [1e3, 1e3, 0],
        "squared_hinge": [0.5 * 1001**2, 0.5 * 1001**2, 0],
        "square": [0.5 * (999**2 + 1001**2)] * 2 + [999**2],
    }[{v: k for k, v in LOSSES.items()}[loss]]
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", [Softmax(), Logistic()], ids=["softmax", "logistic"])
@given(scored(most=2000.0))
def test_probabilities_are_probabilities(loss, drawn):
    found = loss.probabilities(drawn[0])
    assert (found >= 0).all()
    # one against the rest, with every score far below zero, says nothing about any class
    total = found.sum(axis=1)
    silent = (drawn[0] < -700).all(axis=1) & isinstance(loss, Logistic)
    np.testing.assert_allclose(total[~silent], 1, rtol=1e-12)


def test_binary_probabilities_have_two_columns():
    found = Logistic().probabilities(np.array([[-1e3], [0.0], [2.0], [1e3]]))
    p = 1 / (1 + np.exp(-2.0))
    np.testing.assert_allclose(found, [[1, 0], [0.5, 0.5], [1 - p, p], [0, 1]], atol=1e-15)


# --- every library ----------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-12), (np.float32, 1e-5)])
@every_loss
def test_every_library_agrees(loss, dtype, rtol, xp):
    rng = np.random.default_rng(0)
    scores, target = 3 * rng.normal(size=(6, 3)), targets(loss, 6, 3, rng)
    mine = [xp.asarray(a, dtype=dtype) for a in (scores, target)]
    pairs = [
        (loss.value(*mine), loss.value(scores, target)),
        (loss.gradient(*mine), loss.gradient(scores, target)),
    ]
    if hasattr(loss, "probabilities"):
        pairs.append((loss.probabilities(mine[0]), loss.probabilities(scores)))
    for found, expected in pairs:
        assert xp.is_mine(found)
        assert str(found.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=rtol, atol=rtol)


def test_every_library_smooths_labels(xp):
    rng = np.random.default_rng(0)
    scores, target = 3 * rng.normal(size=(6, 3)), np.eye(3)[rng.integers(0, 3, 6)]
    smoothed = Smoothed(Softmax(), 0.2, np.eye(3))
    found = smoothed.gradient(xp.asarray(scores), xp.asarray(target))
    assert xp.is_mine(found)
    labels = [Softmax().gradient(scores, np.tile(row, (6, 1))) for row in np.eye(3)]
    expected = 0.8 * Softmax().gradient(scores, target) + 0.2 * np.mean(labels, axis=0)
    np.testing.assert_allclose(xp.to_numpy(found), expected, rtol=1e-12)
