"""Devices other than the host, by those that array-api-strict pretends to have."""

import sys
from pathlib import Path

import array_api_strict as strict
import numpy as np
import pytest
from learners import digits
from problems import unit_atoms

from skdict_sup import (
    KL,
    ElasticNet,
    LISTAEncoder,
    OnlineDictionaryLearning,
    SparseCoder,
    SupervisedDictionaryClassifier,
    SupervisedDictionaryRegressor,
    code_vjp,
    encode,
    to_device,
)
from skdict_sup._array import device_of, has_float64, on_host, to_float64, to_numpy
from skdict_sup._atoms import Atoms
from skdict_sup.execution import solve
from skdict_sup.problem import Problem
from skdict_sup.reconstruction import as_reconstruction
from skdict_sup.supervised import passes

DEVICES = {
    str(device).split("'")[1]: device
    for device in strict.__array_namespace_info__().devices()
    if "CPU" not in str(device)
}
WITHOUT = [name for name in DEVICES if name.startswith("no_")]
elsewhere = pytest.mark.parametrize("name", [n for n in DEVICES if n not in ("device2", "no_x64")])
LEARNING = {"learning_rate": 0.05, "max_iter": 1, "init_max_iter": 1, "random_state": 0}


def signals(name):
    """Digits in float32, here and there, and their labels."""
    X, y = digits(18, n_classes=3)
    X = X.astype(np.float32)
    return X, strict.asarray(X, device=DEVICES[name]), y


@elsewhere
@pytest.mark.parametrize("prior", [ElasticNet(0.1), KL(0.1, 0.1)], ids=["elastic net", "kl"])
def test_codes_and_gradients_are_where_signals_are(name, prior):
    X, there, _ = signals(name)
    found = encode(there, there[:12, :], prior=prior)
    for array in found.arrays().values():
        assert device_of(array) == DEVICES[name]
    assert found.code.dtype == strict.float32
    assert bool(strict.all(found.converged))
    expected = encode(X, X[:12], prior=prior).code
    code = np.from_dlpack(strict.asarray(found.code, device=strict.Device("CPU_DEVICE")))
    np.testing.assert_allclose(code, expected, atol=2e-3 * np.abs(expected).max())
    gradients = code_vjp(there, there[:12, :], found.code, found.code, prior=prior)
    assert device_of(gradients.dictionary) == device_of(gradients.X) == DEVICES[name]


@elsewhere
@pytest.mark.parametrize(
    "model",
    [
        SparseCoder(None),
        OnlineDictionaryLearning(4, max_iter=1, random_state=0),
        SupervisedDictionaryClassifier(4, mu=0.2, augment=lambda X, rng: X, **LEARNING),
        SupervisedDictionaryClassifier(2, multi_class="ovr", dropout=0.2, **LEARNING),
        SupervisedDictionaryRegressor(4, fit_linear=True, n_projected=8, **LEARNING),
        LISTAEncoder(n_components=4, n_layers=2, max_iter=1, init_max_iter=1, loss="square"),
        LISTAEncoder(n_components=4, n_layers=2, max_iter=1, architecture="alista"),
    ],
    ids=lambda m: type(m).__name__,
)
def test_estimators_live_where_signals_are(name, model):
    X, there, y = signals(name)
    if isinstance(model, SparseCoder):
        model = SparseCoder(there[:4, :])
    model.fit(there, y)  # labels stay in host memory
    assert device_of(model.components_) == DEVICES[name]
    code = model.transform(there)
    assert device_of(code) == DEVICES[name]
    assert device_of(model.inverse_transform(code)) == DEVICES[name]
    if isinstance(model, SupervisedDictionaryRegressor):
        assert device_of(model.predict(there)) == DEVICES[name]
    if hasattr(model, "score"):
        assert model.score(there, y) <= 1
    with pytest.raises(ValueError, match="to_device moves a fitted estimator"):
        model.transform(X)
    here = to_device(model, np)
    assert here.transform(X).dtype == np.float32
    for place in ((strict, DEVICES[name]), (f"array_api_strict:{name}",)):
        assert device_of(to_device(here, *place).components_) == DEVICES[name]


@elsewhere
def test_first_atoms_and_targets_of_another_device_are_brought_over(name):
    X, there, _ = signals(name)
    home = strict.asarray(X)
    model = OnlineDictionaryLearning(4, init=home[:4, :], max_iter=1, random_state=0).fit(there)
    assert device_of(model.components_) == DEVICES[name]
    weight = strict.asarray(np.ones(len(X), np.float32))
    model = SupervisedDictionaryRegressor(4, **LEARNING).fit(there, home[:, :2], weight)
    assert device_of(model.coef_) == DEVICES[name]


def test_what_devices_are_like():
    X, _ = digits(4)
    single = X.astype(np.float32)
    assert on_host(X)
    assert on_host(strict.asarray(X))
    assert to_float64(single).dtype == np.float64
    assert to_float64(X) is X
    for name, device in DEVICES.items():
        there = strict.asarray(single, device=device)
        assert not on_host(there)
        assert has_float64(there) is (name not in WITHOUT)
        wide = strict.float32 if name in WITHOUT else strict.float64
        assert to_float64(there).dtype == wide


def reads_of_the_host(monkeypatch):
    """Files that ask an array for its values, one entry for each time; kernels don't count."""
    asked = []

    def watched(original):
        def read(self, *args, **kwargs):
            frame, files = sys._getframe(1), []
            while frame is not None:
                files.append(frame.f_code.co_filename)
                frame = frame.f_back
            ours = [Path(f) for f in files if "skdict_sup" in f and "_array.py" not in f]
            if ours and "kernels" not in {part for f in ours for part in f.parts}:
                asked.append(ours[0].name)
            return original(self, *args, **kwargs)

        return read

    kind = type(strict.zeros(1))
    for name in ("__float__", "__int__", "__bool__", "__dlpack__"):
        monkeypatch.setattr(kind, name, watched(getattr(kind, name)))
    return asked


@pytest.mark.parametrize("mu", [0.0, 0.5])
def test_a_step_of_training_asks_a_device_once(mu, monkeypatch):
    _, there, y = signals("device1")
    model = SupervisedDictionaryClassifier(4, mu=mu, batch_size=6, **LEARNING).fit(there, y)
    data, _ = model._read_samples(there, y, None, reset=False)
    rng = np.random.default_rng(0)
    asked = reads_of_the_host(monkeypatch)
    state, settings = model._training.state, model._training.settings
    _, report = passes.learn_labelled(state, data, settings, lambda _: (0.01, 0.01), rng, mu)
    monkeypatch.undo()
    assert report.loss > 0
    assert report.n_uses.sum() > 0
    # of the signals' range and the codes' exactness; and at the end, what the pass was like
    assert asked.count("precision.py") == data.steps_per_epoch()
    assert asked.count("passes.py") == 3
    assert len(asked) == data.steps_per_epoch() + 3


@elsewhere
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("prior", [ElasticNet(0.1), KL(0.1, 0.1)], ids=["elastic net", "kl"])
def test_signals_that_are_not_finite_raise(name, prior, bad):
    X, there, _ = signals(name)
    X = X.copy()  # the device is on this host, and looks at the same memory
    X[3, 5] = bad
    with pytest.raises(ValueError, match="X must be finite"):
        encode(strict.asarray(X, device=DEVICES[name]), there[:12, :], prior=prior)


@pytest.mark.parametrize("power", [-100, 62])
def test_codes_scale_over_the_whole_range_of_float32(power):
    X, there, _ = signals("device1")
    scale = 2.0**power
    wide = strict.asarray(np.float32(scale) * X, device=DEVICES["device1"])
    plain = encode(there, there[:12, :], prior=ElasticNet(0.5))
    scaled = encode(wide, there[:12, :], prior=ElasticNet(0.5 * scale))
    assert bool(strict.all(scaled.converged))
    there, back = to_numpy(plain.code), to_numpy(scaled.code) / np.float32(scale)
    np.testing.assert_allclose(back, there, atol=2e-4)


# where squares overflow
@pytest.mark.filterwarnings("ignore:.* codes have not converged to a relative duality gap")
@pytest.mark.parametrize(
    ("name", "dtype", "scale"), [("device1", np.float64, 1e160), ("no_float64", np.float32, 1e25)]
)
def test_no_certificate_is_false_where_squares_overflow(name, dtype, scale):
    X = signals(name)[0].astype(dtype)
    D, plain = X[:12], encode(X, X[:12], prior=ElasticNet(0.5))
    there = (strict.asarray(a, device=DEVICES[name]) for a in (dtype(scale) * X, D))
    found = encode(*there, prior=ElasticNet(0.5 * scale))
    exact = to_numpy(found.converged)
    assert exact.all() or dtype == np.float64
    code = to_numpy(found.code)[exact] / dtype(scale)
    # within what a gap of 1e-5 leaves open, as for devices above
    np.testing.assert_allclose(code, plain.code[exact], atol=2e-3 * np.abs(plain.code).max())


class Lazy:
    """A solver that gives up."""

    max_iter = None

    @staticmethod
    def codes(problem, data, tol, init=None):
        return 0.0 * data.corr, data.corr, [0] * data.n_rows


@elsewhere
def test_signals_that_a_solver_gives_up_come_from_the_host(name):
    rng = np.random.default_rng(0)
    X, D = rng.normal(size=(5, 9)), unit_atoms(rng, 7, 9)
    X[1] = 0
    X, D = (strict.asarray(a.astype(np.float32), device=DEVICES[name]) for a in (X, D))
    problem = Problem(as_reconstruction("linear"), ElasticNet(0.2), Atoms(D))
    found = solve(problem, X, Lazy())
    assert bool(strict.all(found.converged))
    for array in found.arrays().values():
        assert device_of(array) == DEVICES[name]
    best = encode(X, D, prior=ElasticNet(0.2)).objective
    assert bool(strict.all(strict.abs(found.objective - best) <= 2e-5 * best))
