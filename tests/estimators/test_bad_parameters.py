"""Bad parameters of estimators: the message names the parameter, what came, what is expected."""

import re

import numpy as np
import pytest
from learners import (
    EVERY,
    LEARNERS,
    classifier,
    coder,
    digits,
    heights,
    regressor,
    target_of,
    unsupervised,
)

from skdict_sup import ElasticNet

SUPERVISED = (regressor, classifier)
D = np.eye(6, 64)
NAN = np.where(np.arange(64) == 3, np.nan, D)

# of whom, the parameter, bad values, the error, and what the message says is expected
TABLE = [
    (EVERY, "prior", ["lasso"], ValueError, "elastic_net"),
    (EVERY, "prior", [None, 0.1, ElasticNet], TypeError, "elastic_net.*ElasticNet"),
    (EVERY, "prior__lam", [-1.0, np.nan, np.inf], ValueError, ">= 0 or 'auto'"),
    (EVERY, "prior__lam", ["large", None, True], TypeError, ">= 0 or 'auto'"),
    (EVERY, "prior__lam2", [-1e-3], ValueError, ">= 0"),
    (EVERY, "prior__lam2", ["auto"], TypeError, ">= 0"),
    (EVERY, "prior__positive", [1, "yes"], TypeError, "True or False"),
    (EVERY, "transfer", ["relu", None], ValueError, "linear"),
    (EVERY, "solver", ["lars", None], ValueError, "homotopy"),
    (EVERY, "split_sign", [1, "yes"], TypeError, "True or False"),
    (EVERY, "allow_nan", [1, "yes"], TypeError, "True or False"),
    (EVERY, "max_residual", [-1.0, np.nan], ValueError, ">= 0 or None"),
    (EVERY, "max_residual", ["small", np.ones(160)], TypeError, ">= 0 or None"),
    (EVERY, "max_nonzeros", [0], ValueError, "an integer >= 1 or None"),
    (EVERY, "max_nonzeros", [2.5, "few"], TypeError, "an integer >= 1 or None"),
    (EVERY, "n_jobs", [0], ValueError, "None"),
    (EVERY, "n_jobs", [1.5, "all"], TypeError, "an integer or None"),
    (EVERY, "device", ["nowhere", ""], ValueError, "array library"),
    (EVERY, "device", [3, True], TypeError, "the name of an array library"),
    (EVERY, "verbose", [-1], ValueError, "an integer >= 0"),
    (EVERY, "verbose", ["loud", None], TypeError, "an integer >= 0"),
    ((coder,), "dictionary", [D[0], NAN, D[:0]], ValueError, "2-dim|finite|at least one row"),
    ((coder,), "dictionary", [D.astype(object), D.astype(str)], TypeError, "real numbers"),
    ((coder,), "dictionary", [D[:, :63]], ValueError, "one column per feature"),
    ((coder,), "tol", [0.0, -1.0], ValueError, "> 0 or None"),
    ((coder,), "tol", ["small"], TypeError, "> 0 or None"),
    ((coder,), "max_iter", [0], ValueError, ">= 1 or None"),
    ((coder,), "max_iter", [2.5], TypeError, ">= 1 or None"),
    ((coder, unsupervised), "output", ["csr", None], ValueError, "dense.*sparse"),
    (LEARNERS, "n_components", [0, -1, 10**6], ValueError, "an integer >= 1 and <= 32768"),
    (LEARNERS, "n_components", [2.5, "many", True, None], TypeError, "an integer >= 1"),
    (LEARNERS, "max_iter", [0], ValueError, "an integer >= 1"),
    (LEARNERS, "max_iter", [1.5, None], TypeError, "an integer >= 1"),
    (LEARNERS, "init", ["random", None], ValueError, r"'data', 'kmeans', 'svd'"),
    (
        LEARNERS,
        "init",
        [D[:5], D[:, :63]],
        ValueError,
        r"\(n_components, n_features\) = \(6, 64\)",
    ),
    (LEARNERS, "init", [NAN], ValueError, "finite"),
    (LEARNERS, "init", [D.astype(object), D.astype(str)], TypeError, "real numbers"),
    (LEARNERS, "tol", [-1e-9, np.nan], ValueError, ">= 0"),
    (LEARNERS, "tol", [None], TypeError, ">= 0"),
    (LEARNERS, "positive_dictionary", [1, "yes"], TypeError, "True or False"),
    (LEARNERS, "random_state", ["seed", -1, 0.5], ValueError, "an integer .* or None"),
    ((unsupervised,), "batch_size", [0], ValueError, "an integer >= 1"),
    ((unsupervised,), "batch_size", ["auto", 2.5], TypeError, "an integer >= 1"),
    ((unsupervised,), "forgetting", [-0.1, np.inf], ValueError, ">= 0"),
    ((unsupervised,), "forgetting", ["slow"], TypeError, ">= 0"),
    ((unsupervised,), "shuffle", [0, "no"], TypeError, "True or False"),
    (SUPERVISED, "loss", ["hinge"], ValueError, "auto"),
    (SUPERVISED, "loss", [None, 2.0], TypeError, r"value\(scores, target\)"),
    (SUPERVISED, "mu", [-0.1, 1.5, np.nan, [0.5, 2.0], []], ValueError, r"in \[0, 1\]"),
    (SUPERVISED, "mu", ["half", None, True, [0.5, "0"]], TypeError, r"in \[0, 1\]"),
    (SUPERVISED, "dropout", [-0.1, 1.0], ValueError, ">= 0 and <= 0.99"),
    (SUPERVISED, "dropout", ["half"], TypeError, ">= 0 and <= 0.99"),
    (SUPERVISED, "head", ["quadratic", None], ValueError, "bilinear"),
    (SUPERVISED, "fit_linear", [1, "yes"], TypeError, "True or False, or 'auto'"),
    (SUPERVISED, "fit_offset", [1.0, None], TypeError, "True or False, or 'auto'"),
    (SUPERVISED, "standardise", [0, "unit"], TypeError, "True or False, or 'auto'"),
    (SUPERVISED, "n_projected", [0, 65], ValueError, "an integer >= 1 and <= 64 .*None"),
    (SUPERVISED, "n_projected", [2.5, "few"], TypeError, "an integer >= 1"),
    ((classifier,), "multi_class", ["ovo", None], ValueError, "ovr"),
    ((classifier,), "label_smoothing", [-0.1, 1.0], ValueError, ">= 0 and <= 0.99"),
    ((classifier,), "label_smoothing", ["some"], TypeError, ">= 0 and <= 0.99"),
    (SUPERVISED, "nu", [-1.0, np.inf], ValueError, ">= 0 or 'auto'"),
    (SUPERVISED, "nu", ["small"], ValueError, "auto"),
    (SUPERVISED, "nu", [None], TypeError, ">= 0 or 'auto'"),
    (SUPERVISED, "learning_rate", [0.0, -0.1], ValueError, "> 0 or 'auto' or 'mairal'"),
    (SUPERVISED, "learning_rate", ["constant"], ValueError, "'auto' or 'mairal'"),
    (SUPERVISED, "batch_size", [0], ValueError, ">= 1 or 'auto'"),
    (SUPERVISED, "batch_size", [1.5, None], TypeError, ">= 1 or 'auto'"),
    (SUPERVISED, "init_max_iter", [-1], ValueError, ">= 0 or 'auto'"),
    (SUPERVISED, "init_max_iter", [1.5], TypeError, ">= 0 or 'auto'"),
    (SUPERVISED, "early_stopping", [1, None], TypeError, "True or False"),
    (SUPERVISED, "warm_start", ["no"], TypeError, "True or False"),
    (SUPERVISED, "validation_fraction", [0.0, 1.5], ValueError, "> 0 and <= 1"),
    (SUPERVISED, "validation_fraction", ["tenth"], TypeError, "> 0 and <= 1"),
    (SUPERVISED, "n_iter_no_change", [0], ValueError, "an integer >= 1"),
    (SUPERVISED, "augment", ["shift", 1], TypeError, "a callable or None"),
    ((classifier,), "class_weight", ["equal", 3], ValueError, "balanced"),
]
ROWS = [
    pytest.param(make, name, value, error, expected, id=f"{make.__name__}-{name}-{i}-{j}")
    for i, (makers, name, values, error, expected) in enumerate(TABLE)
    for make in makers
    for j, value in enumerate(values)
]


def shown(value):
    """What a message must show of a value: itself if it is small."""
    if isinstance(value, np.ndarray):
        return ""
    return re.escape(repr(value))


@pytest.mark.parametrize(("make", "name", "value", "error", "expected"), ROWS)
def test_the_message_names_parameter_given_and_expected(make, name, value, error, expected):
    estimator = make(prior=ElasticNet()).set_params(**{name: value})
    calls = [estimator.fit] if make is coder else [estimator.fit, estimator.partial_fit]
    for call in calls:
        with pytest.raises(error) as caught:
            call(digits()[0], target_of(make))
        message = str(caught.value)
        assert re.search(rf"\b{name.rpartition('__')[2]}\b", message), message
        assert re.search(expected, message), message
        assert re.search(shown(value), message), message


@pytest.mark.parametrize("make", LEARNERS)
def test_every_parameter_is_in_the_table(make):
    rows = {name for makers, name, *_ in TABLE if make in makers}
    assert set(make().get_params(deep=False)) - rows == set()


def test_every_parameter_of_a_coder_is_in_the_table():
    rows = {name for makers, name, *_ in TABLE if coder in makers}
    assert set(coder().get_params(deep=False)) == {n for n in rows if "__" not in n}


# --- data that come with a fit ----------------------------------------------------------------

X, LABELS = digits()
WEIGHTS = {
    "too_few": (np.ones(159), r"sample_weight.*\(159,\).*\(160,\)"),
    "negative": (-np.ones(160), "sample_weight"),
    "zero": (np.zeros(160), "(?i)sample.weight.*(non-zero|above zero)"),
    "nan": (np.full(160, np.nan), "sample_weight contains NaN"),
    "matrix": (np.ones((160, 2)), "1D"),
}


@pytest.mark.parametrize(("weight", "words"), WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("make", SUPERVISED)
def test_bad_weights(make, weight, words):
    for call in (make().fit, make().partial_fit):
        with pytest.raises(ValueError, match=words):
            call(X, target_of(make), sample_weight=weight)


TARGETS = {
    "missing": (SUPERVISED, None, "requires y to be passed"),
    "too_few": (SUPERVISED, LABELS[:9], "one row per row of X: got 9 rows of y for 160"),
    "nan": ((regressor,), np.full(160, np.nan), "y contains NaN"),
    "infinite": (SUPERVISED, np.full(160, np.inf), "y contains infinity"),
    "cube": ((regressor,), np.ones((160, 2, 2)), "dim"),
    "words": ((regressor,), np.full(160, "high"), "could not convert string to float"),
    "no_outputs": ((regressor,), np.ones((160, 0)), "0 feature|output"),
    "one_class": ((classifier,), np.ones(160), "at least two classes, got one"),
    "measurements": ((classifier,), heights(X)[:, 0], "continuous"),
    "several": ((classifier,), np.ones((160, 2), int), "1d array"),
}


@pytest.mark.parametrize(
    ("make", "y", "words"),
    [
        pytest.param(make, y, words, id=f"{make.__name__}-{name}")
        for name, (makers, y, words) in TARGETS.items()
        for make in makers
    ],
)
def test_bad_targets(make, y, words):
    with pytest.raises(ValueError, match=words):
        make().fit(X, y)


@pytest.mark.parametrize("make", [make for make in EVERY if make is not coder])
def test_calls_before_fit(make):
    for name in ("transform", "inverse_transform", "predict", "decision_function"):
        if hasattr(make(), name):
            with pytest.raises(Exception, match="is not fitted yet") as caught:
                getattr(make(), name)(X)
            assert type(caught.value).__name__ == "NotFittedError"
