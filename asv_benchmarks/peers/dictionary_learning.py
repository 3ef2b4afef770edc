"""Dictionary learning without labels: time to an objective, against SPAMS and scikit-learn.

python asv_benchmarks/peers/dictionary_learning.py writes docs/results/dictionary_learning.md and
dictionary_learning.png.
"""

import time
from functools import partial

import joblib
import numpy as np
from _common import THREADS, Contender, arguments, interleaved, machine, publish
from _dictionary_learning_page import OURS, SKLEARN, draw, page
from _peers import spams
from benchmarks import common
from sklearn.decomposition import MiniBatchDictionaryLearning

from skdict_sup import ElasticNet, OnlineDictionaryLearning, encode

LAM, BATCH = 0.15, 256
EFFORTS = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16)  # passes over the signals
LONGEST = 30.0  # seconds of one training: efforts that would take longer are left out
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn", "spams-bin")


def first_signals(X, effort):
    """Signals, as rows and in number of passes: part of them where less than one is asked for."""
    return (X[: int(effort * len(X))], 1) if effort < 1 else (X, int(effort))


def learn_ours(X, start, effort):
    X, passes = first_signals(X, effort)
    learner = OnlineDictionaryLearning(
        len(start),
        prior=ElasticNet(lam=LAM),
        init=start,
        batch_size=BATCH,
        max_iter=passes,
        tol=0,
        n_jobs=THREADS,
        random_state=0,
    )
    return learner.fit(X).components_


def learn_spams(X, start, effort):
    return spams.trainDL(
        X.T,
        D=start.T,
        lambda1=LAM,
        lambda2=0.0,
        batchsize=BATCH,
        iter=max(1, round(effort * len(X) / BATCH)),
        numThreads=THREADS,
        verbose=False,
    ).T


def learn_sklearn(X, start, effort, algorithm):
    X, passes = first_signals(X, effort)
    learner = MiniBatchDictionaryLearning(
        len(start),
        alpha=LAM,
        fit_algorithm=algorithm,
        dict_init=start,
        batch_size=BATCH,
        max_iter=passes,
        tol=0.0,
        max_no_improvement=None,
        n_jobs=THREADS,
        random_state=0,
    )
    with joblib.parallel_config(backend="threading"):
        return learner.fit(X).components_


def seconds_of(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def methods(X, start):
    """Functions of the effort by name, and the name of the faster algorithm of scikit-learn."""
    found = {OURS: partial(learn_ours, X, start)}
    if spams:
        found["SPAMS"] = partial(learn_spams, X, start)
    sample = X[:1024]
    times = {
        algorithm: seconds_of(lambda a=algorithm: learn_sklearn(sample, start, 1, a))
        for algorithm in ("cd", "lars")
    }
    faster = min(times, key=times.get)
    found[SKLEARN] = partial(learn_sklearn, X, start, algorithm=faster)
    return found, faster


def contenders(found, efforts):
    """Trainings by (method, effort), but for those that would take too long."""
    runs = {}
    for name, learn in found.items():
        learn(effort=efforts[0])  # warm-up
        one_pass = seconds_of(lambda f=learn: f(effort=efforts[1])) / efforts[1]
        for effort in efforts:
            if effort * one_pass <= LONGEST or effort == efforts[0]:
                blas = (
                    1 if name == SKLEARN else THREADS
                )  # threads of Python there, as in encode.py
                runs[name, effort] = Contender(partial(learn, effort=effort), 1, blas)
    return runs


def in_unit_ball(D):
    """Dictionary with atoms outside the unit ball scaled into it, and the largest norm before."""
    norms = np.linalg.norm(D, axis=1, keepdims=True)
    return np.ascontiguousarray(D / np.maximum(norms, 1.0)), float(norms.max())


def held_out_objective(X, D):
    solution = encode(X, D, prior=ElasticNet(lam=LAM), n_jobs=THREADS)
    return float(solution.objective.mean())


def measure(kind, X, held_out, atoms, efforts, repeats):
    """Curves of one problem, as a dictionary."""
    rng = np.random.default_rng(0)
    X = X[rng.permutation(len(X))]  # part of a pass then sees a fair part of the signals
    start = X[rng.permutation(len(X))[:atoms]]
    found, algorithm = methods(X, start)
    results = interleaved(contenders(found, efforts), repeats, warm_up=False)
    curves = {name: [] for name in found}
    for (name, effort), (seconds, dictionary) in results.items():
        dictionary, norm = in_unit_ball(dictionary)
        curves[name].append((effort, seconds, held_out_objective(held_out, dictionary), norm))
    return {
        "kind": kind,
        "atoms": atoms,
        "signals": len(X),
        "held out": len(held_out),
        "start": held_out_objective(held_out, start),
        "algorithm": algorithm,
        "curves": curves,
    }


def problems(quick):
    """(kind, signals to learn from, held-out signals, number of atoms)."""
    n = 2000 if quick else 20_000
    digits, held_out = common.digits_to_learn(n)[0], common.digits_to_encode(2000)
    for atoms in (100,) if quick else (100, 200):
        yield common.digits_name(), digits, held_out, atoms
    kind, train, test = common.patches()
    yield kind, train[:n], test[:2000], 64 if quick else 256


def main():
    options = arguments(__doc__.splitlines()[0], "dictionary_learning")
    about = machine(PACKAGES)
    efforts, repeats = (EFFORTS[1:4], 2) if options.quick else (EFFORTS, 5)
    rows, begin = [], time.perf_counter()
    for problem in problems(options.quick):
        rows.append(measure(*problem, efforts, repeats))
        print(
            f"{time.perf_counter() - begin:5.0f} s  {problem[0]}, {problem[3]} atoms", flush=True
        )
    settings = {"lam": LAM, "batch": BATCH, "longest": LONGEST}
    lines = page(rows, about, settings, options.quick)
    publish(lines, options.output, partial(draw, rows))


if __name__ == "__main__":
    main()
