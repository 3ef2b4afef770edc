"""Networks that encoders keep between batches, in the form that computes codes."""

import pickle

import numpy as np
import pytest
from learners import digits

from skdict_sup import LISTAEncoder
from skdict_sup.encoders import network


def counted(monkeypatch):
    """List that grows with each network that is built for codes."""
    built, build = [], network.Encoder.__init__

    def init(self, *args, **kwargs):
        built.append(self)
        build(self, *args, **kwargs)

    monkeypatch.setattr(network.Encoder, "__init__", init)
    return built


def test_a_network_is_built_once_for_many_batches(monkeypatch):
    X, _ = digits(80)
    model = LISTAEncoder(n_components=6, n_layers=3, max_iter=1, random_state=0).fit(X)
    built, before = counted(monkeypatch), set(vars(model))
    one = [model.transform(X[:1]), *(model.transform(X[k : k + 1]) for k in range(4))]
    assert len(built) == 1
    np.testing.assert_array_equal(one[0], one[1])
    assert set(vars(model)) == before
    again = pickle.loads(pickle.dumps(model)).transform(X[:1])
    np.testing.assert_array_equal(again, one[0])
    assert len(built) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.layers_[1]["threshold"].__imul__(2.0),
        lambda model: model.components_.__imul__(0.5),
        lambda model: model.prior_.set_params(lam2=0.3),
        lambda model: model.set_params(safeguard=True),
        lambda model: model.partial_fit(digits(80)[0]),
    ],
    ids=["layers", "components", "prior", "safeguard", "learning"],
)
def test_a_network_is_built_anew_where_anything_in_it_has_changed(change):
    X, _ = digits(80)
    settings = {"n_components": 6, "n_layers": 3, "max_iter": 1, "architecture": "lista"}
    model = LISTAEncoder(**settings, random_state=0).fit(X)
    model.transform(X)
    change(model)
    fresh = pickle.loads(pickle.dumps(model))  # which has built none
    np.testing.assert_array_equal(model.transform(X), fresh.transform(X))
    for depth, dtype in ((1, float), (3, np.float32)):
        there, here = (m.transform(X.astype(dtype), n_layers=depth) for m in (fresh, model))
        np.testing.assert_array_equal(there, here)
