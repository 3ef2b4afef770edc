"""LISTAEncoder: what it learns, and scikit-learn's contract."""

import pickle

import numpy as np
import pytest
from learners import digits, encoder
from problems import unit_atoms
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdict_sup import KL, ElasticNet, LISTAEncoder, encode
from skdict_sup.encoders import ARCHITECTURES

CROSSED = ("LISTAEncoder", "encode")

LEARNED = sorted(name for name in ARCHITECTURES if not ARCHITECTURES[name].fixed)


def cost(X, code, model):
    """Mean objective of codes."""
    residual = X - code @ model.components_
    return float((0.5 * (residual**2).sum(axis=1) + model.prior_.value(code)).mean())


@pytest.mark.parametrize("name", LEARNED)
def test_learning_lowers_the_objective(name):
    X, _ = digits(400)
    model = encoder(architecture=name, max_iter=20).fit(X)
    assert len(model.layers_) == 3
    assert len(model.loss_curve_) == model.n_iter_ + 1 == 21
    untrained = clone(model).set_params(max_iter=1, learning_rate=1e-12).fit(X)
    before, after = (cost(X, m.transform(X), m) for m in (untrained, model))
    best = cost(X, encode(X, model.components_, prior=model.prior_).code, model)
    assert best < after < before
    # on the way from three steps to the exact codes; one number for each layer takes it less far
    assert after - best < (0.9 if name == "step" else 0.67) * (before - best)
    energy = (X**2).sum(axis=1).mean()
    assert min(model.loss_curve_) == pytest.approx(after / energy, rel=1e-9)


def test_a_learned_network_is_as_good_as_a_deeper_one_that_is_not():
    X, _ = digits(400)
    learned = encoder(max_iter=60).fit(X)
    D, prior = learned.components_, learned.prior_
    deep = encoder(dictionary=D, prior=prior, architecture="ista", n_layers=12).fit(X)
    assert cost(X, learned.transform(X), learned) < cost(X, deep.transform(X), deep)
    assert deep.n_iter_ == 1
    assert len(deep.loss_curve_) == 1


def test_networks_without_learning_end_at_the_exact_codes():
    X, _ = digits()
    D, prior = unit_atoms(np.random.default_rng(0), 8, 64), ElasticNet(lam=0.3, lam2=0.1)
    exact = encode(X, D, prior=prior).code
    for name in ("ista", "fista"):
        model = LISTAEncoder(D, prior=prior, architecture=name, n_layers=400).fit(X)
        np.testing.assert_allclose(model.transform(X), exact, atol=1e-8)


def test_codes_as_target():
    X, _ = digits(400)
    model = encoder(target="codes", max_iter=40).fit(X)
    exact = encode(X, model.components_, prior=model.prior_).code
    untrained = clone(model).set_params(max_iter=1, learning_rate=1e-12).fit(X)
    before, after = (((m.transform(X) - exact) ** 2).sum() for m in (untrained, model))
    assert after < 0.5 * before


def test_codes_of_a_few_layers():
    X, _ = digits()
    model = encoder(every_layer=True).fit(X)
    codes = [model.transform(X, n_layers=k) for k in (1, 2, 3)]
    np.testing.assert_array_equal(codes[-1], model.transform(X))
    energy = (X**2).sum(axis=1).mean()
    mean = np.mean([cost(X, code, model) for code in codes]) / energy
    assert min(model.loss_curve_) == pytest.approx(mean, rel=1e-9)
    for wrong in (0, 4, 1.5):
        with pytest.raises((ValueError, TypeError), match="n_layers"):
            model.transform(X, n_layers=wrong)


@pytest.mark.numpy_alone("writes to the weights of layers")
def test_the_safeguard():
    X, _ = digits()
    model = encoder().fit(X[:80])
    for layer in model.layers_:
        layer["code"] = layer["code"] + 0.5
    plain = model.transform(X)
    safe = model.set_params(safeguard=True)
    costs = [cost(X, safe.transform(X, n_layers=k), model) for k in (1, 2, 3)]
    assert costs[2] <= costs[1] <= costs[0] < cost(X, plain, model)


def test_a_network_grows():
    X, _ = digits()
    model = encoder(warm_start=True).fit(X)
    first, kept = model.loss_curve_[-1], model.layers_
    model.set_params(n_layers=5, max_iter=1, learning_rate=1e-12).fit(X)
    assert len(model.layers_) == 5
    np.testing.assert_allclose(model.layers_[1]["code"], kept[1]["code"], rtol=1e-9)
    model.set_params(learning_rate="auto", max_iter=10).fit(X)
    assert min(model.loss_curve_) < first
    with pytest.raises(ValueError, match="architecture must be that of the first fit"):
        model.set_params(architecture="step").fit(X)


@pytest.mark.parametrize("name", LEARNED)
def test_a_network_that_has_grown_runs_as_it_was_trained(name):
    X, _ = digits(400)
    model = encoder(architecture=name, n_layers=1, n_components=40, warm_start=True, max_iter=3)
    for depth in (1, 8):
        model.set_params(n_layers=depth).fit(X)
        energy = (X**2).sum(axis=1).mean()
        found = cost(X, model.transform(X), model) / energy
        assert found == pytest.approx(min(model.loss_curve_), rel=1e-9)


@pytest.mark.parametrize("name", sorted(set(LEARNED) - {"slstm", "lista_recurrent"}))
def test_growing_never_raises_the_cost(name):
    X, _ = digits(400)
    prior = ElasticNet(lam=0.02)
    model = encoder(architecture=name, n_components=40, prior=prior, max_iter=40, warm_start=True)
    before = min(model.fit(X).loss_curve_)
    model.set_params(n_layers=8, max_iter=1, learning_rate=1e-12).fit(X)
    assert model.loss_curve_[0] <= before * (1 + 1e-12)


def test_momentum_without_learning_goes_on_in_a_network_that_grows():
    X, _ = digits(100)
    grown = encoder(architecture="fista", warm_start=True).fit(X).set_params(n_layers=8).fit(X)
    whole = encoder(architecture="fista", n_layers=8).fit(X)
    np.testing.assert_allclose(grown.transform(X), whole.transform(X), atol=1e-12)


def test_partial_fit_goes_on():
    X, _ = digits(400)
    model = encoder()
    for _ in range(3):
        for rows in np.array_split(np.arange(400), 4):
            model.partial_fit(X[rows])
    assert len(model.loss_curve_) == 13
    untrained = encoder(dictionary=model.components_, prior=model.prior_, architecture="ista")
    assert cost(X, model.transform(X), model) < cost(X, untrained.fit(X).transform(X), model)


def test_atoms_may_move():
    X, _ = digits(400)
    fixed, moving = (encoder(dictionary_update=u, max_iter=20).fit(X) for u in (False, True))
    assert moving.loss_curve_[0] == fixed.loss_curve_[0]
    assert min(moving.loss_curve_) < min(fixed.loss_curve_)
    assert (np.linalg.norm(moving.components_, axis=1) <= 1 + 1e-12).all()
    with pytest.raises(ValueError, match="dictionary_update=True requires target='objective'"):
        encoder(dictionary_update=True, target="codes").fit(X)


@pytest.mark.parametrize("name", ["lista", "lista_recurrent", "lfista", "adaptive", "slstm"])
def test_encoder_and_decoder_may_share_a_matrix(name):
    X, _ = digits(400)
    model = encoder(architecture=name, dictionary_update="tied", max_iter=10, warm_start=True)
    model.fit(X)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    for _ in range(2):  # a second fit goes on from there
        for layer in model.layers_:
            ratio = np.linalg.norm(layer["signal"]) / np.linalg.norm(model.components_)
            np.testing.assert_allclose(layer["signal"], ratio * model.components_, rtol=1e-10)
        norms = np.linalg.norm(model.components_, axis=1)
        assert norms.max() <= 1 + 1e-12
        before = min(model.loss_curve_)
        assert model.fit(X).loss_curve_[0] == pytest.approx(before, rel=1e-9)


def test_only_one_matrix_on_the_signals_can_be_shared():
    X, _ = digits(100)
    for name in ("step", "alista", "facnet"):
        with pytest.raises(ValueError, match="dictionary_update='tied' requires an architecture"):
            encoder(architecture=name, dictionary_update="tied").fit(X)
    with pytest.raises(TypeError, match="must be True or False, or 'tied', got 'both'"):
        encoder(dictionary_update="both").fit(X)


@pytest.mark.parametrize("name", ["lista", "facnet", "slstm", "step"])
def test_adadelta_needs_no_step_size(name):
    X, y = digits(200)
    for scale in (1e-3, 1.0, 255.0):
        prior = ElasticNet(lam=0.1 * scale)
        model = encoder(
            architecture=name, optimizer="adadelta", prior=prior, loss="softmax", max_iter=15
        )
        model.fit(scale * X, y)
        assert model.loss_curve_[-1] < model.loss_curve_[0]
    with pytest.raises(ValueError, match="optimizer must be one of"):
        encoder(optimizer="sgd").fit(X)


def test_an_encoder_is_where_exact_codes_begin():
    X, _ = digits()
    model = encoder().fit(X)
    D, prior = model.components_, model.prior_
    plain = encode(X, D, prior=prior)
    begun = encode(X, D, prior=prior, init=model)
    np.testing.assert_allclose(begun.code, plain.code, atol=1e-8)
    # what it saves are first steps
    rough = {"prior": prior, "solver": "fista", "tol": 0.03}
    assert encode(X, D, **rough, init=model).n_iter.mean() < encode(X, D, **rough).n_iter.mean()


def test_in_a_pipeline_and_a_grid_search():
    X, y = digits(300, n_classes=3)
    pipeline = make_pipeline(encoder(), LogisticRegression(max_iter=500))
    grid = {
        "listaencoder__architecture": ["lista", "step"],
        "listaencoder__n_layers": [1, 4],
    }
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    assert search.score(X, y) > 0.9
    names = search.best_estimator_[:-1].get_feature_names_out()
    assert names[:2].tolist() == ["listaencoder0", "listaencoder1"]


@pytest.mark.numpy_alone("a promise for NumPy")
@pytest.mark.parametrize("name", LEARNED)
def test_single_precision_stays_and_threads_change_nothing(name):
    X, _ = digits()
    X = X.astype(np.float32)
    model = encoder(architecture=name, max_iter=2).fit(X)
    code = model.transform(X)
    assert code.dtype == np.float32
    assert all(array.dtype == np.float32 for layer in model.layers_ for array in layer.values())
    np.testing.assert_array_equal(model.set_params(n_jobs=2).transform(X), code)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), code)
    reconstructed = model.inverse_transform(code)
    np.testing.assert_allclose(reconstructed, code @ model.components_, rtol=1e-6)


@pytest.mark.parametrize("name", LEARNED)
def test_every_library_learns_the_same(name, xp):
    X, _ = digits(60)
    few = {"n_components": 6, "max_iter": 2, "batch_size": 30}
    expected = encoder(architecture=name, **few).fit(X)
    found = encoder(architecture=name, **few).fit(xp.asarray(X))
    code = found.transform(xp.asarray(X))
    np.testing.assert_allclose(xp.to_numpy(code), expected.transform(X), rtol=1e-6, atol=1e-8)


def test_sparse_signals():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    X, _ = digits()
    dense, sparse = encoder().fit(X), encoder().fit(scipy_sparse.csr_matrix(X))
    expected = dense.transform(X)
    np.testing.assert_allclose(sparse.transform(scipy_sparse.csr_matrix(X)), expected, atol=1e-9)


@pytest.mark.numpy_alone("replaces a method")
def test_an_interrupt_leaves_the_last_epoch(monkeypatch):
    X, _ = digits()
    model, left = encoder(), [7]
    train = type(model)._publish

    def publish(self, *args):
        train(self, *args)
        left[0] -= 1
        if left[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(type(model), "_publish", publish)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X)
    assert len(model.loss_curve_) == 4
    assert model.transform(X).shape == (len(X), 12)
    with pytest.raises(NotFittedError):
        encoder().transform(X)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"architecture": "lsita"}, "architecture must be one of"),
        ({"n_layers": 0}, "n_layers must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"target": "labels"}, "target must be one of"),
        ({"prior": KL(lam=0.1)}, "prior must be an ElasticNet"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"every_layer": 1}, "every_layer must be True or False"),
        ({"safeguard": "yes"}, "safeguard must be True or False"),
        ({"dictionary": np.eye(3)}, "one column per feature"),
        (
            {"architecture": "facnet", "prior": ElasticNet(positive=True)},
            "requires signed codes",
        ),
    ],
)
def test_bad_parameters(params, message):
    X, _ = digits()
    with pytest.raises((ValueError, TypeError), match=message):
        encoder(**params).fit(X)


def test_zero_signals_and_one_atom():
    X = np.zeros((30, 4))
    for name in ARCHITECTURES:
        model = encoder(dictionary=np.eye(4)[:1], architecture=name).fit(X)
        assert np.isfinite(model.transform(X)).all()
