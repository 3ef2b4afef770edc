"""What users do that is unusual and right, and what is unusual and wrong."""

import numpy as np
import pytest
from learners import assert_same, classifier, digits, learned, regressor, unsupervised

from skdict_sup import LISTAEncoder, SparseCoder, encode

X, Y = digits(60, n_classes=2)


# --- learning goes on in the dtype in which it began --------------------------------------------


def more_of_each(model, signals):
    """A model that has learned from signals, by each of its ways to go on."""
    if not hasattr(model, "coef_"):
        return model.partial_fit(signals)
    model.partial_fit(signals, Y).fit_head(signals, Y)
    return model.set_params(warm_start=True).fit(signals, Y)


@pytest.mark.parametrize("first", [np.float32, np.float64])
@pytest.mark.parametrize("second", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("make", [unsupervised, classifier, regressor])
def test_signals_of_another_dtype_are_learned_from(make, first, second):
    models = [make(max_iter=1).fit((16 * X).astype(first), Y) for _ in range(2)]
    signals = np.round(16 * X).astype(second)
    found, expected = (
        more_of_each(model, part)
        for model, part in zip(models, (signals, signals.astype(first)), strict=True)
    )
    assert found.components_.dtype == first
    assert_same(learned(found), learned(expected))


def test_an_encoder_goes_on_with_signals_of_another_dtype():
    encoder = LISTAEncoder(n_components=5, n_layers=2, max_iter=1, random_state=0)
    encoder.fit(X.astype(np.float32)).partial_fit(X.astype(np.float64))
    assert encoder.transform(X.astype(np.float32)).dtype == np.float32


def test_the_order_of_bytes_is_no_other_dtype():
    signals, atoms = X.astype(np.float32), np.eye(X.shape[1], dtype=np.float32)
    found = encode(signals.astype(">f4"), atoms.astype(">f4")).code
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, encode(signals, atoms).code)


def test_more_iterations_than_counters_hold():
    atoms = np.eye(X.shape[1])
    expected = encode(X, atoms, solver="fista").code
    np.testing.assert_array_equal(encode(X, atoms, solver="fista", max_iter=10**30).code, expected)


# --- what is refused ----------------------------------------------------------------------------


def test_minus_one_is_no_class_of_a_stream_with_unlabelled_signals():
    model = classifier(mu=0.5, learning_rate=0.1)
    assert list(model.partial_fit(X, Y, classes=[-1, 0, 1]).classes_) == [0, 1]


@pytest.mark.parametrize("weight", [{0: -1.0, 1: 1.0}, {0: np.nan, 1: 1.0}, "x", [1, 2]])
def test_class_weights_that_are_none(weight):
    with pytest.raises(ValueError, match="class_weight"):
        classifier(class_weight=weight).fit(X, Y)


def test_one_number_has_no_score_to_stop_by():
    with pytest.raises(ValueError, match=r"1 of 9 samples .* no R2; hold out at least 2"):
        regressor(early_stopping=True, validation_fraction=0.1).fit(X[:9], X[:9, 20])


def test_targets_whose_squares_overflow():
    with pytest.raises(ValueError, match=r"y must have numbers .* got 1e\+160; divide y"):
        regressor().fit(X, np.where(Y, 1e160, 0.0))


@pytest.mark.parametrize("wrong", [None, "atoms", 3])
def test_a_coder_without_a_dictionary_can_be_shown(wrong):
    coder = SparseCoder(wrong)
    assert "SparseCoder" in coder._repr_html_()
    with pytest.raises((TypeError, ValueError), match="dictionary must"):
        coder.fit(X)
