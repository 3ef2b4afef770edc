"""Stored and copied estimators go on as the ones they were made of."""

import copy
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import storable
from storable import EVERY, expected, fitted, going_on, network, once_fitted, samples

import skdict_sup


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "joblib": by_joblib,
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": copy.deepcopy,
}


def assert_same_bits(found, name):
    assert found.keys() == expected(name).keys()
    for output, value in expected(name).items():
        np.testing.assert_array_equal(found[output], value, err_msg=f"{name}: {output}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EVERY)
def test_a_copy_goes_on_as_its_original(name, way):
    learner = once_fitted(name)
    assert_same_bits(going_on(lambda: WAYS[way](learner)), name)


@pytest.mark.parametrize("way", WAYS)
def test_a_stored_network_grows_as_its_original(way):
    X, _ = samples(network())
    grown = network(warm_start=True).fit(X).set_params(n_layers=5).fit(X)
    stored = WAYS[way](grown)
    found, wanted = (e.partial_fit(X).transform(X) for e in (stored, grown))
    np.testing.assert_array_equal(found, wanted)


def test_another_process_goes_on_as_this_one(tmp_path):
    for name in EVERY:
        joblib.dump(fitted(name), tmp_path / f"{name}.joblib")
    path = os.pathsep.join([str(Path(skdict_sup.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", storable.__file__, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = joblib.load(tmp_path / "found")
    assert found.keys() == set(EVERY)
    for name in EVERY:
        assert_same_bits(found[name], name)
