"""Tables, text and figures of docs/results/kl.md."""

import numpy as np
from _common import new_figure, number, opening, table
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skdict_sup import KL, Lp
from skdict_sup import encode as codes_of

# test error % of the paper: labels -> (L1, KL, KL + backprop)
PAPER = {
    1000: (7.72, 5.87, 5.66),
    2000: (6.63, 5.06, 4.46),
    10_000: (4.74, 3.00, 2.31),
    20_000: (4.16, 2.51, 1.78),
    50_000: (3.53, 2.21, 1.30),
}
PAPER_STABILITY = {  # (L1, KL)
    "noise 0.01": (0.0283, 0.0172),
    "noise 0.1": (0.285, 0.164),
    "shift 0.1 px": (0.138, 0.070),
    "shift 1 px": (1.211, 0.671),
}
PAPER_CLASSIFIERS = {  # trained on all images: PCA, L1, KL, KL + backprop
    "maxent": (7.49, 3.53, 2.21, 1.30),
    "2-layer network": (2.23, 2.13, 1.40, 1.36),
    "SVM (linear)": (5.55, 3.95, 2.16, 1.34),
    "SVM (RBF)": (1.54, 1.94, 1.28, 1.31),
}
CLASSES = (2, 3, 4, 5, 6, 7, 8, 9)


def page(results, data, about, quick):
    """The page, as lines."""
    title = "KL codes of digits: differentiable sparse coding"
    script = "differentiable_sparse_coding.py"
    lines = opening(title, script, about, quick, ("mnist.npz",), folder="papers")
    settings = results["settings"]
    error, C, prior = settings["KL, halves"]
    lines += [
        f"Images are centred, reduced to {data.X.shape[1]} principal components and scaled to norm"
        f" one; float32. The dictionary has {results['n_atoms']} atoms, learned by l1 alone"
        f" (`ElasticNet(lam=0.1)`) from the {len(data.X)} training images. A KL code is handed on"
        " as its two halves, which is the code over [D, -D] (`split_sign=True`), as in the paper."
        f" lam, p and C are chosen on {len(data.X_held_out)} further images, with classifiers"
        f" trained on {min(10_000, len(data.X))}; the number of atoms of the paper is not known.",
        "",
        f"Chosen: `{prior!r}` with C = {C:g} for KL (validation error {error:.2f} %),"
        + "".join(
            f" `{settings[name][2]!r}` with C = {settings[name][1]:g} for {name}"
            f" ({settings[name][0]:.2f} %)" + end
            for name, end in (("L1", ","), ("L1, halves", "."))
        )
        + f" Backpropagation takes {results['epochs']} epochs.",
        "",
        "## Test error by number of labels (table 2)",
        "",
        "A linear maxent classifier, test error in %; in brackets the paper's. Seconds are those"
        " of backpropagation. C, and the way to backpropagate, are chosen for each number of"
        " labels on the validation images; for more than 10000 labels it is that of 10000."
        " Of two ways that err alike it is the one of the larger lam, whose codes change less."
        " A way is a prior, Gaussian noise on the signals (of this norm; they have norm one),"
        " label smoothing, the ridge of the head (times the default) and `learning_rate`.",
        "",
        *labels_table(results["table 2"]),
        "",
        "Validation error of backpropagation:",
        "",
        *ways_table(results["ways"]),
        "",
        "## Stability (table 1)",
        "",
        "Change of the code in the l1 norm, relative to that of the code, under Gaussian noise on"
        " images in [0, 1] and under translations in random directions: mean and standard"
        " deviation over the test images.",
        "",
        *stability_table(results["table 1"]),
        "",
        "Ratios KL / L1 of the means; marked is that of the KL prior chosen for backpropagation"
        " with 10000 labels, and of the l1 prior chosen for halves.",
        "",
        *ratios_table(results["table 1"], settings["L1, halves"][2], results["system"]),
        "",
        "## Other classifiers (table 3)",
        "",
        f"Trained on {min(10_000, len(data.X))} images here, on all in the paper (in brackets);"
        " the dictionary of the last column has seen the labels of all. Settings are chosen on a"
        " fifth of the training images.",
        "",
        *classifiers_table(results["table 3"]),
        "",
        "## Sparsity (figure 1) and discriminant projections (figure 2)",
        "",
        "![Mean sorted coefficients for several priors](kl.png)",
        "",
        "![Two-dimensional discriminant projections](kl_projections.png)",
        "",
        "## Validation errors of all settings tried",
        "",
        *grids_table(results["grids"]),
    ]
    return lines


def _beside(value, paper):
    return f"{value:.2f}" + (f" ({paper:.2f})" if paper is not None else "")


def labels_table(rows):
    names = ("L1", "L1, halves", "KL, halves", "KL + backprop")
    lines = []
    for row in rows:
        paper = PAPER.get(row["labels"], (None,) * 3)
        beside = (paper[0], None, *paper[1:])
        line = [row["labels"], *(_beside(row[n], p) for n, p in zip(names, beside, strict=True))]
        last = f"{row['training']:.2f}", f"{row['seconds']:.0f}"
        lines.append([*line, row["way"], *last])
    return table(["labels", *names, "way", "training error", "seconds"], lines)


def ways_table(tried):
    ways = list(next(iter(tried.values())))
    lines = [[way, *(f"{errors[way]:.2f}" for errors in tried.values())] for way in ways]
    return table(["way", *(f"{n} labels" for n in tried)], lines)


def stability_table(found):
    lines = [
        ["L1, paper", *(f"{l1:g}" for l1, _ in PAPER_STABILITY.values())],
        ["KL, paper", *(f"{kl:g}" for _, kl in PAPER_STABILITY.values())],
    ]
    for name in next(iter(found.values())):
        changes = [column[name] for column in found.values()]
        lines.append([f"`{name}`", *(f"{c.mean():.4f} ± {c.std():.4f}" for c in changes)])
    return table(["prior", *found], lines)


def ratios_table(found, l1, system):
    chosen = repr(l1), repr(system)
    names = list(next(iter(found.values())))
    lines = [["paper", *(number(kl / l1) for l1, kl in PAPER_STABILITY.values())]]
    for kl in (name for name in names if name.startswith("KL")):
        for l1 in (name for name in names if not name.startswith("KL")):
            ratios = [number(c[kl].mean() / c[l1].mean()) for c in found.values()]
            mark = " (chosen)" if (l1, kl) == chosen else ""
            lines.append([f"`{kl}` / `{l1}`{mark}", *ratios])
    return table(["priors", *found], lines)


def classifiers_table(rows):
    names = [name for name in rows[0] if name != "classifier"]
    return table(
        ["classifier", *names],
        [
            [row["classifier"]]
            + [
                _beside(row[name], paper)
                for name, paper in zip(names, PAPER_CLASSIFIERS[row["classifier"]], strict=True)
            ]
            for row in rows
        ],
    )


def grids_table(grids):
    lines = [
        [name, f"`{prior!r}`", f"{C:g}", f"{error:.2f}"]
        for name, tried in grids.items()
        for error, C, prior in tried
    ]
    return table(["features", "prior", "C", "error, %"], lines)


def draw(path, data, D, priors, learner):
    """Write both figures."""
    figure = new_figure(5.5, 3.6)
    axes = figure.subplots()
    X = data.X_test[:2000]
    several = {
        "L1": priors["L1"],
        f"KL, p {priors['KL'].p:g}": priors["KL"],
        "KL, p 1e-06": KL(lam=0.01, p=1e-6),
        "KL, p 1": KL(lam=0.3, p=1.0),
        "power 0.5 (local)": Lp(lam=0.03, exponent=0.5),
        "power 1.5": Lp(lam=0.1, exponent=1.5),
        "power 2": Lp(lam=0.1, exponent=2.0),
    }
    for name, prior in several.items():
        size = np.sort(np.abs(codes_of(X, D, prior=prior, tol=1e-4).code), axis=1)[:, ::-1]
        axes.plot(np.arange(1, len(D) + 1), (size / size[:, :1]).mean(axis=0), label=name)
    axes.set(xscale="log", xlabel="atoms, sorted", ylabel="mean of |w| / max |w|", ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)

    spaces = {
        "principal components": data.X_test,
        "L1 codes": codes_of(data.X_test, D, prior=priors["L1"]).code,
        "KL codes": np.hstack(
            priors["KL"].halves(codes_of(data.X_test, D, prior=priors["KL"]).code)
        ),
        "KL codes after backpropagation": learner.transform(data.X_test),
    }
    figure = new_figure(11, 3.2)
    seen = np.isin(data.y_test, CLASSES)
    for axes, (name, Z) in zip(figure.subplots(1, 4), spaces.items(), strict=True):
        half = len(Z) // 2  # projections are fitted on one half and drawn on the other
        fitted, drawn = np.flatnonzero(seen[:half]), half + np.flatnonzero(seen[half:])[:1500]
        discriminant = LinearDiscriminantAnalysis(solver="eigen", shrinkage=1e-3, n_components=2)
        discriminant.fit(Z[fitted].astype(np.float64), data.y_test[fitted])
        points = discriminant.transform(Z[drawn].astype(np.float64))
        axes.scatter(*points.T, c=data.y_test[drawn], cmap="tab10", s=3)
        axes.set_title(name, fontsize=9)
        axes.set_axis_off()
    figure.savefig(path.with_name("kl_projections.png"), dpi=130)
