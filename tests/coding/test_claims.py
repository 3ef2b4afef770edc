"""Claims of codes on drawn problems; and the judge itself, on claims that are false."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from claim_cases import PAIRS, draw, with_limits, with_missing, with_weights
from claims import Judge, code_of
from hypothesis import example, given
from hypothesis import strategies as st
from problems import examples

from skdict_sup import KL, ElasticNet, Lp, codes_path, encode

CROSSED = ("encode",)

seeds = st.integers(0, 2**32 - 1)
every_pair = pytest.mark.parametrize("pair", PAIRS, ids="-".join)
PRIORS = {"elastic_net": ElasticNet(0.1, 0.01), "kl": KL(0.1, 0.02), "lp": Lp(0.1, 1.5)}


@every_pair
@examples(15)
@given(seed=seeds)
def test_no_claim_is_false(pair, seed):
    case = draw(seed, pair)
    violations = Judge(case, code_of(case, encode)).violations
    assert not violations, f"{case}: {violations}"


@examples(12)
@given(seed=seeds)
def test_no_claim_is_false_with_weights_of_atoms(seed):
    case = with_weights(draw(seed, PAIRS[0]))
    violations = Judge(case, code_of(case, encode)).violations
    assert not violations, f"{case}: {violations}"


@examples(12)
@given(seed=seeds, kind=st.sampled_from(["elastic_net", "kl", "lp"]))
def test_no_claim_is_false_with_missing_entries(seed, kind):
    case = with_missing(draw(seed, (kind, "linear")))
    violations = Judge(case, code_of(case, encode)).violations
    assert not violations, f"{case}: {violations}"


@examples(15)
@given(seed=seeds)
@example(seed=500146)  # a bound below the rounding of correlations
@example(seed=500242)  # no weight of its own
@example(seed=501639)  # a weight beyond the correlations
@example(seed=502064)
def test_no_claim_is_false_at_limits(seed):
    case = with_limits(draw(seed, PAIRS[0]))
    violations = Judge(case, code_of(case, encode)).violations
    assert not violations, f"{case}: {violations}"


def along_path(X, dictionary, *, prior, **settings):
    """The last codes of a path down to the lam of a prior."""
    for name in ("max_iter", "max_residual", "max_nonzeros"):
        settings.pop(name, None)
    last = 1.0 if np.ndim(prior.lam) else prior.lam
    path = codes_path(X, dictionary, [4 * last, last, 2 * last], prior=prior, **settings)
    return replace(path[1], lam=None)  # which is rounded, as codes are


@examples(12)
@given(seed=seeds)
def test_no_claim_is_false_along_a_path(seed):
    case = replace(with_missing(draw(seed, PAIRS[0])), max_iter=None, solver="auto")
    violations = Judge(case, code_of(case, along_path)).violations
    assert not violations, f"{case}: {violations}"


# powers beyond the floats, objectives of zero, singular systems, codes of zero, and others that
# were claimed falsely, left no finite code, or raised
FOUND = (
    *(1000029, 1000093, 1000144, 1000421, 1000441, 1000519, 1000526, 1000576, 1001108, 1001184),
    *(1001411, 1001498, 1001549, 1001597, 1001690, 1001856, 1001886, 1001934, 1001986, 1002024),
    *(1002066, 1002171, 5002403, 5001158, 6279, 13213, 15057, 9000992, 2364, 40004268),
)


@pytest.mark.parametrize("seed", FOUND)
def test_no_claim_is_false_again(seed):
    case = draw(seed)
    assert not Judge(case, code_of(case, encode)).violations


SIZES = (-310, -155, 0, 155, 300)


@pytest.mark.parametrize("size_of_atoms", SIZES)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "prior_of",
    [
        lambda slope, code: ElasticNet(0.0),
        lambda slope, code: ElasticNet(0.1 * slope, positive=True),
        lambda slope, code: KL(0.1 * slope, 0.01 * code),
        lambda slope, code: KL(0.1 * slope, 0.01 * code, True),
        lambda slope, code: Lp(0.1 * slope, 1.5),
    ],
    ids=["least_squares", "elastic_net", "kl", "positive_kl", "lp"],
)
def test_no_claim_is_false_where_squares_leave_the_range_of_floats(prior_of, size, size_of_atoms):
    rng = np.random.default_rng(0)
    X, D = rng.standard_normal((4, 4)), rng.standard_normal((6, 4))
    units = size + size_of_atoms, size - size_of_atoms
    slope, code = (10.0**unit if abs(unit) < 300 else 1.0 for unit in units)
    scaled = {"X": X * 10.0**size, "dictionary": D * 10.0**size_of_atoms}
    settings = {"transfer": "linear", "solver": "auto", "tol": None, "max_iter": 100}
    case = replace(draw(0), **scaled, **settings, prior=prior_of(slope, code), is_ordinary=False)
    assert not Judge(case, code_of(case, encode)).violations


def easy(pair, dtype=np.float64):
    """A problem whose codes are good, and its solution."""
    rng = np.random.default_rng(0)
    X, D = rng.dirichlet(np.ones(5), 16), rng.standard_normal((6, 5))
    X = np.round(X * 2**20) / 2**20
    X[:, 0] += 1 - X.sum(axis=1)
    case = replace(
        draw(0), X=X.astype(dtype), dictionary=D.astype(dtype), prior=PRIORS[pair[0]], tol=1e-3
    )
    case = replace(case, transfer=pair[1], solver="auto", max_iter=None)
    return case, code_of(replace(case, tol=None), encode)


def kinds(case, found):
    return {violation.kind for violation in Judge(case, found).violations}


@every_pair
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda t: t.__name__)
def test_the_judge_finds_codes_that_are_moved(pair, dtype):
    case, found = easy(pair, dtype)
    assert found.converged.all()
    moved = replace(found, code=found.code + np.asarray(0.1, dtype))
    assert {"converged", "gap", "residual", "objective"} <= kinds(case, moved)
    assert len(Judge(case, moved).violations) >= 4 * 15


@every_pair
def test_the_judge_finds_claims_that_are_a_little_too_good(pair):
    case, found = easy(pair)
    rough = replace(found, code=found.code * (1 + 1e-4))
    judge = Judge(case, rough)
    honest = replace(rough, duality_gap=1.01 * judge.excess, kkt_residual=1.01 * judge.residual)
    assert not {"gap", "residual"} & kinds(case, honest)
    bold = replace(rough, duality_gap=0.99 * judge.excess, kkt_residual=0.99 * judge.residual)
    assert {"gap", "residual"} <= kinds(case, bold)


@every_pair
def test_the_judge_finds_numbers_that_are_none(pair):
    case, found = easy(pair)
    holes = found.code.copy()
    holes[3, 2] = np.nan
    assert {"nan", "converged", "gap", "residual"} <= kinds(case, replace(found, code=holes))
    assert "nan" in kinds(case, replace(found, objective=found.objective * np.nan))
    assert "objective" in kinds(case, replace(found, objective=found.objective * (1 + 1e-9)))
    assert "objective" in kinds(case, replace(found, objective=found.objective + np.inf))


def test_the_judge_finds_negative_codes_that_should_not_be():
    case, found = easy(PAIRS[0])
    case = replace(case, prior=ElasticNet(0.1, 0.01, positive=True))
    found = replace(found, code=np.abs(found.code))
    assert "negative" not in kinds(case, found)
    assert "negative" in kinds(case, replace(found, code=found.code - 1e-30))


@given(seed=seeds)
def test_a_case_is_the_same_for_the_same_integer(seed):
    one = draw(seed)
    other = draw(seed, one.pair)
    assert repr(one) == repr(other)
    np.testing.assert_array_equal(one.X, other.X)
    np.testing.assert_array_equal(one.dictionary, other.dictionary)


@given(seed=seeds)
def test_the_judge_knows_its_own_rounding(seed):
    case = draw(seed, PAIRS[0])
    judge = Judge(case, code_of(case, encode))
    D, prior = [exact(atom) for atom in case.dictionary], case.prior
    lam, lam2 = Fraction(prior.lam), Fraction(prior.lam2)
    for row in judge.finite.nonzero()[0][:2]:
        x, w = exact(case.X[row]), exact(judge.code[row])
        rest = [a - sum(v * d[k] for v, d in zip(w, D, strict=True)) for k, a in enumerate(x)]
        value = sum(a * a for a in rest) / 2 + sum(lam * abs(v) + lam2 * v * v / 2 for v in w)
        off = abs(value - Fraction(*judge.point.objective[row].as_integer_ratio()))
        assert off <= Fraction(*judge.point.rounding[row].as_integer_ratio())
        free = [dot(rest, d) - lam2 * v for v, d in zip(w, D, strict=True)]
        pull = free if prior.positive else [abs(u) for u in free]
        sign = [(v > 0) - (v < 0) for v in w]
        terms = zip(free, pull, sign, strict=True)
        largest = max(abs(u - lam * s) if s else max(t - lam, Fraction(0)) for u, t, s in terms)
        top = max(abs(dot(x, d)) for d in D)
        assert Fraction(*judge.residual[row].as_integer_ratio()) <= largest / (top or 1)


def exact(row):
    return [Fraction(*float(entry).as_integer_ratio()) for entry in row]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))
