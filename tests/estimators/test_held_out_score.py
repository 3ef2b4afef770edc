"""The score of a dictionary that was learned without labels: minus the mean objective."""

import numpy as np
import pytest
from learners import digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, to_device

X = digits(160)[0]
HELD_OUT = X[100:]


def learner(**settings):
    settings = {"max_iter": 1, "random_state": 0, "solver": "auto"} | settings
    return OnlineDictionaryLearning(settings.pop("n_components", 6), **settings)


def squared_residuals(model, code):
    return np.sum((HELD_OUT - code @ model.components_) ** 2, axis=1)


def l1(model, code):
    return np.abs(code).sum(axis=1)


ELASTIC_NET, RELATIVE_ENTROPY = ElasticNet(lam=2.0, lam2=0.1), KL(lam=1.0, p=0.1, positive=True)
OBJECTIVES = {
    "elastic net": (
        {"prior": ELASTIC_NET},
        lambda m, w: 0.5 * squared_residuals(m, w) + 2 * l1(m, w) + 0.05 * (w**2).sum(axis=1),
    ),
    "kl": (
        {"prior": RELATIVE_ENTROPY},
        lambda m, w: 0.5 * squared_residuals(m, w) + (w * np.log(w / 0.1) - w + 0.1).sum(axis=1),
    ),
    "nonzeros": ({"max_nonzeros": 3}, lambda m, w: 0.5 * squared_residuals(m, w)),
    "residual": ({"max_residual": 40.0}, l1),
    "greedy": ({"max_residual": 40.0, "solver": "omp"}, lambda m, w: (w != 0).sum(axis=1)),
}


@pytest.mark.parametrize(("settings", "objective"), OBJECTIVES.values(), ids=OBJECTIVES)
def test_the_score_is_minus_the_mean_objective(settings, objective):
    model = learner(**settings).fit(X[:100])
    expected = -np.mean(objective(model, model.transform(HELD_OUT)))
    assert model.score(HELD_OUT) == pytest.approx(expected, rel=1e-10)
    if "max_residual" not in settings:  # the greedy codes and those of a path need dense ones
        sparse = model.set_params(output="sparse").score(HELD_OUT)
        assert sparse == pytest.approx(expected, rel=1e-10)


def test_it_does_not_depend_on_the_form_of_the_features():
    plain, halves = (learner(split_sign=split).fit(X[:100]) for split in (False, True))
    assert plain.score(HELD_OUT) == halves.score(HELD_OUT)


@pytest.mark.parametrize("limit", [{}, {"max_nonzeros": 3}], ids=["lam", "limit"])
def test_every_library_scores_the_same(xp, limit):
    model = learner(prior=ElasticNet(), **limit).fit(X[:100])
    there = to_device(model, xp.home)
    found = there.score(xp.asarray(HELD_OUT))
    assert isinstance(found, float)
    assert found == pytest.approx(model.score(HELD_OUT), rel=1e-8)


def test_a_search_compares_numbers_of_atoms():
    search = GridSearchCV(learner(prior=ElasticNet(lam=2.0)), {"n_components": [2, 12]}, cv=2)
    search.fit(X)
    assert search.best_params_ == {"n_components": 12}
    first, second = search.cv_results_["mean_test_score"]
    assert first < second < 0


def test_atoms_are_needed_first():
    with pytest.raises(NotFittedError):
        learner().score(X)
