"""Time of the forward passes of learned encoders, beside exact codes and their products alone."""

import numpy as np
from _common import Contender, microseconds, number, table
from benchmarks import common

from skdict_sup import ElasticNet, LISTAEncoder, encode
from skdict_sup.kernels import atom_panels, panel_products

TIMED = ("step", "alista", "lista", "lfista", "facnet", "adaptive", "slstm")
LAYERS, LAM, AIM = 10, 0.02, 5
SIZES = (1024, 300)  # atoms: for patches of natural images, for digits
SLOW = "facnet", 1280  # signals that it learns from over many atoms: it inverts matrices
DTYPES = ("float32", "float64")
TITLE = "## Time of a forward pass"
HEADER = ["", "microseconds", "products alone", "exact / network", "exact / products alone"]


def signals(n_components, n_train, n_test):
    """Dictionary, signals to learn from and signals to encode, in float64."""
    if n_components == 300:
        train, _ = common.digits_to_learn(n_train)
        return common.learned(300), train, common.digits_to_encode(n_test)
    _, train, test = common.patches()
    return common.learn(train, n_components), train[:n_train], test[:n_test]


def products(architecture, m, p):
    """{(features, atoms): how many} products that ten layers need for signals of m features."""
    before = LAYERS - 1  # the first code is zero
    found = {
        "lista": {(m, p): 1, (p, p): before},
        "lfista": {(m, p): 1, (p, p): 2 * before - 1},
        "slstm": {(m, 3 * p): 1, (p, 3 * p): before},
        "facnet": {(m, p): LAYERS, (p, p): LAYERS},
    }
    if m > p:
        found["facnet"] = {(m, p): 1, (p, p): 2 * LAYERS}
    found["adaptive"] = found["step"] = found["lista"]
    if 2 * m < p:
        found["step"] = {(m, p): LAYERS, (p, m): before}
    found["alista"] = found["step"]
    return found[architecture]


def trained(name, dictionary, train, seed):
    """Encoder that has learned from signals for two epochs, in float32."""
    settings = {"architecture": name, "prior": ElasticNet(LAM), "random_state": seed}
    encoder = LISTAEncoder(dictionary.astype("float32"), max_iter=2, **settings)
    slow = len(dictionary) > 300 and name == SLOW[0]
    return encoder.fit(train[: SLOW[1] if slow else None].astype("float32"))


def times(n_components, n_train, quick, seed, kept):
    """{dtype: rows (name, microseconds, those of its products, ratios of exact codes to both)}.

    Encoders are kept, times are not.
    """
    prior, n = ElasticNet(LAM), 256 if quick else 1024
    dictionary, train, test = signals(n_components, n_train, n)
    encoders = {}
    for name in TIMED:
        key = f"timed {n_components} {n_train} {name}"
        arguments = name, dictionary, train, seed
        encoders[name] = kept(key, lambda a=arguments: trained(*a))
        print(f"  {n_components} atoms, {name}: learned", flush=True)
    m = test.shape[1]
    needed = {name: products(name, m, n_components) for name in TIMED}
    found = {}
    for dtype in DTYPES:
        X, D = test.astype(dtype), dictionary.astype(dtype)
        contenders = {"exact": Contender(lambda X=X, D=D: encode(X, D, prior=prior), n, 1)}
        for name, encoder in encoders.items():
            contenders[name] = Contender(lambda X=X, e=encoder: e.transform(X), n, 1)
        rng = np.random.default_rng(seed)
        for shape in {shape for name in TIMED for shape in needed[name]}:
            rows, matrix = (rng.normal(size=(k, shape[0])).astype(dtype) for k in (n, shape[1]))
            arguments = rows, atom_panels(matrix), shape[1]
            contenders[shape] = Contender(lambda a=arguments: panel_products(*a), n, 1)
        us = microseconds(contenders, 3 if quick else 9, of=np.min)
        found[dtype] = [["exact", us["exact"], None, 1.0, None]]
        for name in TIMED:
            floor = sum(count * us[shape] for shape, count in needed[name].items())
            ratios = us["exact"] / us[name], us["exact"] / floor
            found[dtype].append([name, us[name], floor, *ratios])
        print(f"  {n_components} atoms, {dtype}: timed", flush=True)
    return found


def section(by_size, about):
    """Lines of the section of the page."""
    lines = [
        TITLE,
        "",
        f"{LAYERS} layers, lam {LAM}, one thread: microseconds for a signal, and how many times"
        f" longer exact codes take; the aim is {AIM}. Beside them the time of the dense products"
        " alone, at the speed of the package's own: no network is faster unless its codes are"
        " sparse. Smallest of nine times that take turns. `docs/development/performance.md` says"
        " what was tried.",
        "",
        *about,
        "",
    ]
    for n_components, by_dtype in by_size.items():
        kind = common.digits_name() if n_components == 300 else "12 x 12 patches"
        for dtype, rows in by_dtype.items():
            shown = [[name, *map(number, values)] for name, *values in rows]
            heading = f"### {n_components} atoms, {kind}, {dtype}"
            lines += [heading, "", *table(HEADER, shown), ""]
    return lines


def replaced(page, lines):
    """Text of a page with this section in the place of the one that it has."""
    before, rest = page.split(TITLE + "\n", 1)
    after = rest.split("\n## ", 1)[1]
    return before + "\n".join(lines) + "\n## " + after
