"""Tables and text of docs/results/kl_codes.md."""

import numpy as np
from _common import THREADS, number, opening, table

LAMS = (0.3, 0.1, 0.03, 0.01, 0.003)
MEANS = (1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-6)
TOL = {"float64": 1e-6, "float32": 1e-4}
FORMS = {False: "signed", True: "nonnegative"}
AIM, AIM_VJP = 8, 0.5


def page(rows, wide_rows, about, what, quick):
    """The page, as lines; `wide_rows` are those of dictionaries with more atoms than features."""
    title = "Time for codes with the KL prior"
    lines = opening(title, "kl_codes.py", about, quick, ("mnist.npz", "images_train.npz"))
    lines += summary(rows)
    lines += setting(rows, what)
    for positive, form in FORMS.items():
        for dtype in TOL:
            own = [r for r in rows if (r["positive"], r["dtype"]) == (positive, dtype)]
            lines += ["", f"## {form.capitalize()}, {dtype}, to a residual of {TOL[dtype]:g}"]
            for text, show in TABLES:
                lines += ["", text, "", *grid(own, show)]
    return [*lines, "", *wide(wide_rows, what)]


def wide(rows, what):
    """Lines on dictionaries with more atoms than features."""
    header = ["atoms", "lam", "p", "Newton", "exponentiated gradient", "ratio"]
    header += ["iterations of Newton", "gradient / solve"]
    shown = _newton, _theirs, _ratio, _iterations, _gradient
    lines = [[r["atoms"], f"{r['lam']:g}", f"{r['p']:g}", *(s(r) for s in shown)] for r in rows]
    return [
        f"## More atoms than features: patches of {what['patches']} pixels, signed, float64",
        "",
        f"{what['patch data'].capitalize()}, centred, with norm one; dictionaries learned as above"
        f" on {what['patches learned']} others; {what['patch signals']} are coded. Where there are"
        " at least three atoms for each feature, products and factors of Newton's method are in"
        " feature space.",
        "",
        *table(header, lines),
    ]


def summary(rows):
    """Lines that set the figures against the aims."""
    header = ["codes", "dtype", "cells", "all codes converged", "smallest ratio"]
    header += ["geometric mean", f"cells at {AIM} or more", "largest gradient / solve"]
    lines = [["aim", "", "", "in all", AIM, "", "all", AIM_VJP]]
    groups = [(form, dtype) for form in FORMS for dtype in TOL]
    for positive, dtype in groups:
        own = [r for r in rows if (r["positive"], r["dtype"]) == (positive, dtype)]
        lines.append([FORMS[positive], dtype, *figures(own)])
    lines.append(["all", "", *figures(rows)])
    return [
        "## Summary",
        "",
        "The ratio is the time of exponentiated gradient over that of Newton's method, for the"
        " same signals to the same residual; where exponentiated gradient did not get there"
        f" ({unfinished(rows)} of {len(rows)} cells), it is a lower bound, and counts as such. The"
        " gradient is one call of `code_vjp`.",
        "",
        *table(header, lines),
        "",
        *shortfall(rows),
    ]


def figures(rows):
    """Entries of a line of the summary."""
    ratios = np.array([r["ratio"] for r in rows])
    converged = sum(r["converged"] == 1 for r in rows)
    mean = np.exp(np.log(ratios).mean())
    found = [len(rows), converged, number(ratios.min()), number(mean)]
    return [*found, int((ratios >= AIM).sum()), number(max(r["vjp"] for r in rows))]


def unfinished(rows):
    return sum(r["converged of theirs"] < 1 for r in rows)


def shortfall(rows):
    """Lines that say why ratios are below the aim, where some are."""
    low = [r for r in rows if r["ratio"] < AIM and r["converged of theirs"] == 1]
    cut = [r for r in rows if r["ratio"] < AIM and r["converged of theirs"] < 1]
    lines = []
    if low:
        few = np.median([r["iterations of theirs"][0] for r in low])
        lines += [
            f"In {len(low)} cells below the aim exponentiated gradient converges, within a median"
            f" of {few:.0f} iterations. A step of length 1 / lam is exact for the prior alone, so"
            " few are needed where the prior outweighs the loss (large lam, codes near zero);"
            " an iteration of either method costs a product with the Gram matrix, and one of"
            " Newton's a linear system besides.",
            "",
        ]
    if cut:
        lines += [
            f"In {len(cut)} cells below the aim it was stopped: the bound is too low to tell.",
            "",
        ]
    return lines


def setting(rows, what):
    """Lines on what was measured, and how."""
    return [
        "## Setting",
        "",
        f"{what['digits']} training images on their first {what['features']} principal"
        f" components, centred, with norm one; {what['atoms']} atoms learned on"
        f" {what['learned']} of them by `OnlineDictionaryLearning` with `ElasticNet(lam=0.1)`;"
        f" {what['signals']} others are coded. The residual is the largest distance of an entry"
        " to its optimality condition, over the signal's largest correlation with an atom.",
        "",
        f"- Newton: `encode(X, D, prior=KL(lam, p), tol=tol, n_jobs={THREADS})`; median of"
        " repeats after a warm-up, which take turns with those of `code_vjp` for a random"
        " cotangent.",
        '- Exponentiated gradient with backtracking, signed codes over [D, -D]: `solver="'
        'exponentiated_gradient"` of the same call, so on the same batches, products of NumPy,'
        f" certificates and {THREADS} threads. ONE run, at most {what['most']} iterations, on the"
        f" first {what['few']} signals, and then on all {what['signals']} where the former is"
        " quick. Signals that have converged leave the batch, in either method, so that a long"
        " tail of a few signals (its most iterations against their median) costs little work,"
        " but the calls of each iteration.",
    ]


def grid(rows, show):
    """Table with lines for lam and columns for p, of what `show` finds in a cell."""
    cells = {(row["lam"], row["p"]): show(row) for row in rows}
    lams, means = (list(dict.fromkeys(row[name] for row in rows)) for name in ("lam", "p"))
    header = ["lam \\ p", *(f"{p:g}" for p in means)]
    return table(header, [[f"{lam:g}", *(cells[lam, p] for p in means)] for lam in lams])


def _newton(row):
    return number(row["microseconds"])


def _iterations(row):
    mean, most = row["iterations"]
    return f"{mean:.1f} ({most})"


def _residual(row):
    short = "" if row["converged"] == 1 else f" ({row['converged']:.1%} converged)"
    return f"{row['residual']:.1e}{short}"


def _theirs(row):
    middle, most = row["iterations of theirs"]
    return f"{number(row['theirs'])}; {middle:.0f} ({most})"


def _ratio(row):
    if row["converged of theirs"] == 1:
        return number(row["ratio"])
    return f"at least {number(row['ratio'])} (reached {row['residual of theirs']:.0e})"


def _gradient(row):
    return number(row["vjp"])


TABLES = (
    ("Newton, microseconds for each signal:", _newton),
    ("Newton, iterations: mean (most):", _iterations),
    ("Newton, largest residual of a code:", _residual),
    ("Exponentiated gradient, microseconds for each signal; iterations: median (most):", _theirs),
    ("Time of exponentiated gradient over that of Newton:", _ratio),
    ("Time of `code_vjp` over that of Newton:", _gradient),
)
