"""Files of earlier versions: they are read, and a version that may not be read says so."""

import copy
import pickle
import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.exceptions import InconsistentVersionWarning
from storable import going_on

import skdict_sup
from skdict_sup import KL, ElasticNet, Lp, OnlineDictionaryLearning, _stored

HERE = Path(__file__).resolve().parents[1] / "stored"
FILES = sorted(HERE.glob("*/*.joblib"))
CURRENT = ".".join(re.match(r"(\d+)\.(\d+)", skdict_sup.__version__).groups())
OBJECTS = {
    "estimator": OnlineDictionaryLearning(7, random_state=3),
    "elastic_net": ElasticNet(0.3, positive=True),
    "kl": KL(0.3, p=np.ones(3)),
    "lp": Lp(0.3, 1.2),
}


# --- files in the repository ------------------------------------------------------------------


def test_this_version_has_files():
    # python tests/stored/write.py writes them
    assert {path.parent.name for path in FILES} >= {CURRENT}


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_stored_file_says_what_it_said(path):
    with np.load(path.parent / "expected.npz") as expected:
        mine = {key.partition("/")[2]: expected[key] for key in expected if _is_of(key, path)}
    X, learner = mine.pop("input"), joblib.load(path)
    for name, value in mine.items():
        found = np.asarray(getattr(learner, name)(X))
        # other processors round in another way
        scale = 1e-6 * np.abs(value).max() if value.dtype.kind == "f" else 0
        np.testing.assert_allclose(found, value, rtol=1e-6, atol=scale, err_msg=name)
    assert all(np.isfinite(value).all() for value in going_on(lambda: joblib.load(path)).values())


def _is_of(key, path):
    return key.partition("/")[0] == path.stem


# --- versions ---------------------------------------------------------------------------------


def stored_by(monkeypatch, version, thing):
    """An object as a file of another version holds it, where None knows of no versions."""
    with monkeypatch.context() as patch:
        patch.setattr(_stored, "__version__", version)
        return pickle.dumps(thing)


@pytest.mark.parametrize("thing", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize("version", ["1.4.0", "1.4.9", "1.3.2", "1.4.0.dev0"])
def test_this_and_the_last_minor_version_are_read(version, thing, monkeypatch):
    file = stored_by(monkeypatch, version, thing)
    monkeypatch.setattr(_stored, "__version__", "1.4.1")
    assert repr(pickle.loads(file)) == repr(thing)


@pytest.mark.parametrize("thing", OBJECTS.values(), ids=OBJECTS)
@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("1.5.0", r"a newer version of skdict_sup \(1\.5\.0\)"),
        ("2.0.0", "a newer version"),
        ("1.2.7", r"an old version of skdict_sup \(1\.2\.7\)"),
        ("0.4.0", "an old version"),
        (None, "an unknown version"),
        ("own build", "an unknown version"),
    ],
)
def test_other_versions_are_told_of(version, said, thing, monkeypatch):
    file = stored_by(monkeypatch, version, thing)
    monkeypatch.setattr(_stored, "__version__", "1.4.1")
    with pytest.warns(InconsistentVersionWarning, match=said) as caught:
        found = pickle.loads(file)
    (one,) = caught
    assert one.filename == __file__
    assert type(thing).__name__ in str(one.message)
    assert "read by 1.4.1" in str(one.message)
    assert repr(found) == repr(thing)


def test_warnings_point_at_the_caller_of_joblib(monkeypatch, tmp_path):
    joblib.dump(ElasticNet(), tmp_path / "file")
    monkeypatch.setattr(_stored, "__version__", "9.0")
    with pytest.warns(InconsistentVersionWarning, match="old version") as caught:
        joblib.load(tmp_path / "file")
    assert caught[0].filename == __file__


def test_a_parameter_that_a_file_does_not_know_gets_its_default():
    old = OnlineDictionaryLearning(7)
    del old.shuffle
    assert copy.deepcopy(old).get_params() == OnlineDictionaryLearning(7).get_params()


class Renamed(OnlineDictionaryLearning):
    def _upgraded(self, state, version):
        return {"seen_by" if key == "random_state" else key: state[key] for key in state} | {
            "stored_by": version
        }


def test_a_class_may_upgrade_what_is_stored(monkeypatch):
    file = stored_by(monkeypatch, "0.1.3", Renamed(random_state=5))
    found = pickle.loads(file)
    assert (found.seen_by, found.stored_by) == (5, "0.1.3")


def test_objects_in_use_carry_no_version():
    for thing in OBJECTS.values():
        assert not any("version" in name for name in vars(copy.deepcopy(thing)))
