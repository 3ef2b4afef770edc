"""Learned encoders, layer by layer: the experiments of Moreau and Bruna, and of SC2Net.

python asv_benchmarks/papers/learned_encoders.py writes docs/results/encoders.md and its figure.
All of it takes hours; what is computed, times included, is kept in asv_benchmarks/.kept, and later
runs go on from there. `--only times` measures forward passes alone, in ten minutes, and puts them
into the page that `--output` names. Encoders see training signals alone; figures are of test
signals.
"""

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "peers"))
from _common import (
    Contender,
    arguments,
    machine,
    microseconds,
    number,
    publish,
)
from _encoder_times import SIZES, replaced, section
from _encoder_times import times as forward_times
from _kept import Kept
from _learned_encoders_page import draw, page
from benchmarks import common

from skdict_sup import ElasticNet, LISTAEncoder, OnlineDictionaryLearning, encode

DEPTHS = (1, 2, 4, 7, 12, 21, 35, 59, 100)
LEARNED_TO = 21  # layers; beyond, the solvers and the networks of few numbers alone
FREE, SMALL = ("ista", "fista"), ("step", "alista")
LARGE = ("lista", "lfista", "facnet", "adaptive", "slstm")
TIMES = "times"  # the part of the page that --only measures anew
STARTED, TOLERANCES = ("homotopy", "coordinate_descent", "fista"), (0.03, 1e-3, 1e-6)
EPOCHS, SMALL_EPOCHS, N_TRAIN, N_TEST = 15, 5, 10_000, 1000
TAUGHT, TIED = "codes", "tied"
TRAININGS = (  # architecture, and what it learns
    ("ista", ""),
    ("fista", ""),
    ("lista", TAUGHT),
    ("lfista", TAUGHT),
    *((architecture, TIED) for architecture in ("slstm", "lista", "lfista")),
)
SEED = 0
PACKAGES = ("skdict-sup", "numpy", "numba", "scikit-learn")


def sparse_signals(dictionary, share, n, rng):
    """Signals with Bernoulli-Gaussian codes of standard deviation ten."""
    code = 10 * rng.normal(size=(n, len(dictionary))) * (rng.random((n, len(dictionary))) < share)
    return code @ dictionary


def generic(share, rng):
    """100 atoms of 64 entries from the sphere."""
    dictionary = common.unit_rows(rng.normal(size=(100, 64)))
    return dictionary, *(sparse_signals(dictionary, share, n, rng) for n in (N_TRAIN, N_TEST))


def adversarial(rng):
    """100 atoms that are 64 rows of a Fourier matrix: real parts beside imaginary ones."""
    frequencies = rng.permutation(np.arange(1, 50))[:32]
    angle = 2 * np.pi / 100 * np.outer(np.arange(100), frequencies)
    dictionary = common.unit_rows(np.hstack([np.cos(angle), np.sin(angle)]))
    return dictionary, *(sparse_signals(dictionary, 0.05, n, rng) for n in (N_TRAIN, N_TEST))


def haar(side):
    """All translations within a square of the two-dimensional Haar wavelets, and its mean."""
    atoms = [np.ones((side, side))]
    width = 2
    while width <= side:
        half = np.repeat([1.0, -1.0], width // 2)
        flat = np.ones(width)
        for rows, columns in ((half, flat), (flat, half), (half, half)):
            for top in range(0, side - width + 1, width // 2):
                for left in range(0, side - width + 1, width // 2):
                    atom = np.zeros((side, side))
                    atom[top : top + width, left : left + width] = np.outer(rows, columns)
                    atoms.append(atom)
        width *= 2
    return common.unit_rows(np.array(atoms).reshape(len(atoms), -1))


def small_patches(rng):
    """8 x 8 patches of natural images, on Haar wavelets."""
    dictionary = haar(8)
    _, train, test = common.patches(N_TRAIN, N_TEST)
    side = round(train.shape[1] ** 0.5)
    parts = (part.reshape(-1, side, side)[:, :8, :8].reshape(-1, 64) for part in (train, test))
    return dictionary, *map(common.unit_rows, parts)


def small_digits(rng):
    """Digits of 17 x 17 pixels, on 100 atoms learned from them."""
    parts = []
    for part in ("train", "test"):
        images = np.asarray(common.stored_digits(part)[0], dtype=float)
        side = round(images.shape[1] ** 0.5)
        images = images.reshape(-1, side, side)
        if side > 17:
            places = (np.arange(17) + 0.5) * side / 17
            rows = places.astype(int)
            images = images[:, rows][:, :, rows]
        parts.append(common.unit_rows(images.reshape(len(images), -1) + 1e-9))
    train, test = parts[0][:N_TRAIN], parts[1][:N_TEST]
    learner = OnlineDictionaryLearning(100, prior=ElasticNet(0.1), random_state=SEED)
    return learner.fit(train).components_, train, test


PROBLEMS = {  # name: (maker, lam); the papers' squares have no 1/2, their .01 is our .005
    "generic, 1/20 nonzeros": (lambda rng: generic(1 / 20, rng), 0.005),
    "generic, 1/4 nonzeros": (lambda rng: generic(1 / 4, rng), 0.005),
    "adversarial": (adversarial, 0.005),
    "patches": (small_patches, 0.05),
    "digits": (small_digits, 0.05),
}


def mean_objective(X, code, dictionary, prior):
    residual = X - code @ dictionary
    return float(np.mean(0.5 * np.sum(residual**2, axis=1) + prior.value(code)))


def curve(problem, architecture, depths, epochs):
    """{name: {depth: suboptimality on test signals}}; networks grow from one depth to the next.

    Networks of a few numbers stand there with the safeguard, too.
    """
    dictionary, train, test, prior, best = problem
    encoder = LISTAEncoder(
        dictionary,
        architecture=architecture,
        prior=prior,
        max_iter=epochs,
        warm_start=True,
        random_state=SEED,
    )
    names = {architecture: False}
    if architecture in SMALL:
        names[f"{architecture}, safeguard"] = True
    found = {name: {} for name in names}
    for depth in depths:
        encoder.set_params(n_layers=depth).fit(train)
        for name, safeguard in names.items():
            code = encoder.set_params(safeguard=safeguard).transform(test)
            found[name][depth] = mean_objective(test, code, dictionary, prior) - best
    return found


def curves(name, kept, quick):
    """{architecture: {depth: suboptimality}} for a problem."""
    maker, lam = PROBLEMS[name]
    dictionary, train, test = maker(np.random.default_rng(SEED))
    prior = ElasticNet(lam)
    best = mean_objective(test, encode(test, dictionary, prior=prior).code, dictionary, prior)
    problem = dictionary, train[: 500 if quick else None], test, prior, best
    found, epochs = {}, 2 if quick else EPOCHS
    for architecture in (*FREE, *SMALL, *LARGE):
        deepest = LEARNED_TO if architecture in LARGE else DEPTHS[-1]
        depths = [d for d in DEPTHS if d <= (4 if quick else deepest)]
        begin, run = time.perf_counter(), SMALL_EPOCHS if architecture in SMALL else epochs
        key = f"{name} {lam} {architecture} {depths} {run}"
        found |= kept(key, lambda a=architecture, d=depths, n=run: curve(problem, a, d, n))
        seconds = time.perf_counter() - begin
        last = list(found[architecture].values())[-1]
        print(f"  {name}, {architecture}: {last:.3g} ({seconds:.0f} s)", flush=True)
    return found


def classification(quick):
    """{(architecture, training): accuracy} of codes of digits, then a linear classifier.

    As in SC2Net's table, LISTA and L-FISTA are taught exact codes, and the sparse LSTM learns the
    objective, encoder and decoder tied; they are also trained as it is.
    """
    (X, y), (X_test, y_test) = map(common.stored_digits, ("train", "test"))
    n = 1000 if quick else len(X)
    X, X_test = (common.unit_rows(part.astype(np.float64)) for part in (X[:n], X_test))
    return classified((X, y[:n]), (X_test, y_test), ElasticNet(0.1), quick)


def classified(train, test, prior, quick):
    """{(architecture, training): accuracy} for signals and labels, with 100 atoms."""
    (X, y), (X_test, y_test), found = train, test, {}
    learner = OnlineDictionaryLearning(100, prior=prior, max_iter=1, random_state=SEED)
    dictionary = learner.fit(X).components_
    for key in TRAININGS:
        architecture, training = key
        encoder = LISTAEncoder(
            dictionary,
            architecture=architecture,
            prior=prior,
            target="codes" if training == TAUGHT else "objective",
            dictionary_update="tied" if training == TIED else False,
            max_iter=2 if quick else 10,
            random_state=SEED,
        ).fit(X)
        model = LogisticRegression(max_iter=300).fit(encoder.transform(X), y)
        found[key] = 100 * model.score(encoder.transform(X_test), y_test)
        print(f"  {key}: {found[key]:.2f} %", flush=True)
    code = encode(X, dictionary, prior=prior).code
    model = LogisticRegression(max_iter=300).fit(code, y)
    code = encode(X_test, dictionary, prior=prior).code
    found["exact codes", ""] = 100 * model.score(code, y_test)
    return found


def digits_to_train(quick, dtype):
    """Digits of norm one that networks for `times` and `starts` learn from."""
    train = common.stored_digits("train")[0][: 512 if quick else N_TRAIN]
    return common.unit_rows(train.astype(dtype))


def times(quick, kept):
    """{atoms: times of forward passes, as the page shows them}."""
    sizes, n_train = (SIZES[1:], 512) if quick else (SIZES, N_TRAIN)
    return {p: forward_times(p, n_train, quick, SEED, kept) for p in sizes}


def starts(quick):
    """Rows (solver, tol, microseconds from zero, from an encoder's codes, their ratio)."""
    X = common.digits_to_encode(512 if quick else 2048, "float64")
    dictionary, prior = common.learned(300, "float64"), ElasticNet(0.02)
    encoder = LISTAEncoder(dictionary, architecture="alista", prior=prior, random_state=SEED)
    encoder.fit(digits_to_train(quick, "float64"))
    rows = []
    for solver in STARTED:
        for tol in TOLERANCES:

            def codes(init, solver=solver, tol=tol):
                settings = {"prior": prior, "solver": solver, "tol": tol}
                return encode(X, dictionary, init=init, **settings)

            contenders = {
                "zero": Contender(lambda c=codes: c(None), len(X), 1),
                "encoder": Contender(lambda c=codes: c(encoder), len(X), 1),
            }
            found = microseconds(contenders, 3 if quick else 5)
            ratio = found["zero"] / found["encoder"]
            rows.append([solver, f"{tol:g}", *map(number, (*found.values(), ratio))])
            print(f"  {rows[-1]}", flush=True)
    return rows


def print_times(options, about):
    """Measure forward passes, and put them into the page that `options` names, or print them."""
    lines = section(times(options.quick, Kept("encoders", keep=not options.quick)), about)
    if options.output is not None:
        page = options.output.read_text(encoding="utf-8")
        lines = replaced(page, lines).splitlines()
    publish(lines, options.output)


def main():
    options = arguments(__doc__.splitlines()[0], "encoders", (*PROBLEMS, TIMES))
    # scikit-learn's classifiers may stop at their limits: what they reach there is the figure
    warnings.filterwarnings("ignore", category=ConvergenceWarning, module="sklearn")
    about = machine(PACKAGES, threads="1 where times are taken")
    kept = Kept("encoders", keep=not options.quick)
    if options.only == TIMES:
        print_times(options, about)
        return
    names = [options.only] if options.only else list(PROBLEMS)[: 1 if options.quick else None]
    found = {name: curves(name, kept, options.quick) for name in names}
    if options.only:
        return
    accuracies = kept("classification", lambda: classification(options.quick))
    seconds = kept("times", lambda: times(options.quick, kept))
    started = kept("starts", lambda: starts(options.quick))
    learned = (
        f"Networks learn from up to {N_TRAIN} training signals, {EPOCHS} epochs at each depth"
    )
    learned = f"{learned} ({SMALL_EPOCHS} for those of a few numbers)"
    lines = page(found, accuracies, seconds, started, about, learned, options.quick)
    publish(lines, options.output, lambda path: draw(path, found))


if __name__ == "__main__":
    main()
