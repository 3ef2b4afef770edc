"""LISTAEncoder with a loss: codes that are learned for a task."""

import numpy as np
import pytest
from learners import digits, encoder, heights
from sklearn.linear_model import LogisticRegression, Ridge

from skdict_sup import LISTAEncoder  # noqa: F401 - what CROSSED names

CROSSED = ("LISTAEncoder",)


@pytest.mark.parametrize("target", ["objective", "codes"])
def test_every_library_learns_the_same_with_labels(target, xp):
    X, y = digits(60, n_classes=4)
    settings = {"loss": "softmax", "target": target, "n_components": 6}
    settings |= {"max_iter": 2, "batch_size": 30}
    expected = encoder(**settings).fit(X, y)
    found = encoder(**settings).fit(xp.asarray(X), y)
    np.testing.assert_allclose(xp.to_numpy(found.coef_), expected.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(found.predict(xp.asarray(X)), expected.predict(X))


@pytest.mark.parametrize("loss", ["softmax", "logistic", "squared_hinge"])
def test_codes_that_tell_classes_apart(loss):
    X, y = digits(600)
    X, y, X_test, y_test = X[:400], y[:400], X[400:], y[400:]
    plain, taught = (encoder(loss=name, max_iter=30).fit(X, y) for name in (None, loss))
    errors = []
    for model in (plain, taught):
        follower = LogisticRegression(max_iter=500).fit(model.transform(X), y)
        errors.append(1 - follower.score(model.transform(X_test), y_test))
    assert errors[1] < errors[0]
    assert taught.coef_.shape == (10, 12)
    found = taught.classes_[(taught.transform(X) @ taught.coef_.T + taught.intercept_).argmax(1)]
    np.testing.assert_array_equal(taught.predict(X), found)
    assert (found == y).mean() > 0.9
    assert not hasattr(plain, "predict")
    assert not hasattr(plain, "coef_")


def test_labels_of_any_kind_and_two_classes():
    X, y = digits(n_classes=2)
    names = np.array(["zero", "one"])[y]
    model = encoder(loss="logistic").fit(X, names)
    assert model.coef_.shape == (1, 12)
    assert (model.predict(X) == names).mean() > 0.95
    model.set_params(warm_start=True).fit(X, names)
    model.partial_fit(X, names)
    with pytest.raises(ValueError, match=r"labels among .* got .*three"):
        model.partial_fit(X, np.full(len(X), "three"))
    with pytest.raises(ValueError, match="at least two classes"):
        encoder(loss="softmax").fit(X, np.zeros(len(X)))
    with pytest.raises(ValueError, match="requires y to be passed"):
        encoder(loss="softmax").fit(X)
    with pytest.raises(ValueError, match="loss must be that of the first fit"):
        model.set_params(loss="softmax").fit(X, names)


@pytest.mark.numpy_alone("asks whether layers are the same objects")
def test_codes_that_predict_numbers_and_a_head_fitted_alone():
    X, _ = digits(n_classes=3)
    y = heights(X)
    model = encoder(loss="square", max_iter=20).fit(X, y)
    assert ((model.predict(X) - y) ** 2).mean() < 0.5 * y.var(axis=0).mean()
    layers = model.layers_
    assert model.fit_head(X, y) is model
    assert model.layers_ is layers
    code, scale = model.transform(X), model._head_settings.code_scale
    # the ridge is that of C=1 on codes of typical size one
    best = Ridge(alpha=scale**2, tol=1e-12).fit(code, y)
    np.testing.assert_allclose(model.predict(X), best.predict(code), rtol=1e-6)
    one = encoder(loss="square").fit(X, y[:, 0])
    assert one.predict(X).shape == (len(X),)
    with pytest.raises(ValueError, match="one row per row of X"):
        one.fit_head(X, y[:-1, 0])


def test_a_head_fitted_alone_needs_the_loss_of_the_fit():
    X, _ = digits(n_classes=3)
    model = encoder(loss="square", max_iter=1).fit(X, heights(X))
    with pytest.raises(ValueError, match="loss must be one of"):
        model.set_params(loss="bad").fit_head(X, heights(X))


def test_targets_of_unlike_spread_are_scaled_by_the_widest():
    X, _ = digits(n_classes=3)
    y = heights(X) * np.array([1.0, 100.0])
    model = encoder(loss="square", max_iter=1).fit(X, y)
    assert model._targets.spread == pytest.approx(y.std(axis=0).max())
    np.testing.assert_allclose(model._targets.center, y.mean(axis=0))
