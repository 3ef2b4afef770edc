"""Tables and text of docs/results/encode_constraints.md."""

import numpy as np
from _common import number, opening, table
from _constraint_problems import RIDGE
from _peers import missing

OURS, PEER = "skdict_sup", "SPAMS"
MASK, WEIGHTS = "Missing entries", "Weights of atoms"
BOUND, LIMIT = "Bound on the residual", "Limit on nonzeros"
SETTING = {MASK: "lam", WEIGHTS: "lam", BOUND: "pixels", LIMIT: "limit"}
VALUE = {
    MASK: "the objective",
    WEIGHTS: "the objective",
    BOUND: "the l1 norm",
    LIMIT: "the lam where paths have ended",
}
FAR = 1e-3  # relative difference in float32 above which signals are counted
SAME = 1e-9  # relative difference in float64 above which problems are not called the same


def page(rows, about, settings, quick):
    """The page, as lines."""
    title = "Time for exact codes with missing entries, weights of atoms and limits"
    script = "encode_constraints.py"
    lines = opening(title, script, about, quick, ("images_train.npz",))
    lines += missing(PEER)
    lines += [
        "What `encode` can do beyond elastic nets with one lam, [whose times are on another"
        " page](encode.md), as far as SPAMS can do it too. Microseconds for each signal, medians"
        " of repeats that take turns, after a warm-up, on one thread and on two. Signals are"
        f" {rows[0]['kind']} with mean zero, of {settings['side']} x {settings['side']} pixels"
        " where a table does not say otherwise, that no dictionary has seen; nearly constant"
        f" ones are left out. Dictionaries have {rows[0]['atoms']} atoms.",
        "",
        f"- `{OURS}` returns a dense array of codes, and with each code its duality gap and its"
        f" optimality residual. `{PEER}` returns a sparse matrix of codes alone.",
        f"- SPAMS adds {RIDGE['float64']:g} to the diagonal of the Gram matrix, a small l2"
        " penalty, which is lost to rounding in float32. `encode` adds nothing. To tell the"
        " penalty from errors, values in float64 are compared twice: those of the codes that were"
        " timed, and those of codes with the same penalty (in our calls, as features where"
        " signals are zero).",
        "- Values are computed in float64 by the script, from the codes. A difference is the"
        " largest of all signals, relative to the larger of both values; in float64 either"
        " direction has a column. Codes in float32 are compared with our codes of the same"
        " numbers in float64.",
        "",
        "## Summary",
        "",
        *summary(rows),
        "",
        *verdict(rows),
    ]
    for feature in SETTING:
        own = [row for row in rows if row["feature"] == feature]
        lines += ["", f"## {feature}", "", *about_feature(feature, settings)]
        lines += ["", "Microseconds for each signal:", "", *times_table(feature, own)]
        for dtype, columns in (("float64", wide_table), ("float32", narrow_table)):
            part = [row for row in own if row["dtype"] == dtype]
            lines += ["", *values_text(feature, dtype), "", *columns(feature, part)]
    return lines


def about_feature(feature, settings):
    """What is solved, and how both are called."""
    missing, spread = settings["missing"], settings["spread"]
    if feature == MASK:
        text = (
            "`encode(X, D, prior=ElasticNet(lam), mask=mask)` and `spams.lassoMask(X.T, D.T,"
            " mask.T, lambda1=lam / share)`: 1/2 ||m * (x - w D)||^2 + lam ||w||_1."
            " SPAMS multiplies lambda1 by the share of observed entries of a signal (unless no"
            f" entry is missing). Here all signals miss {missing:.0%} of their entries, drawn at"
            " random for each, so that one lambda1 makes up for it. Signals have norm one, with"
            " all their entries."
        )
    elif feature == WEIGHTS:
        text = (
            "`encode(X, D, prior=ElasticNet(weights))` and `spams.lassoWeighted(X.T, D.T, W,"
            " lambda1=1)`: 1/2 ||x - w D||^2 + sum_j lam_j |w_j|. The weights are drawn between"
            f" lam / {spread:g} and {spread:g} lam, one for each atom. SPAMS asks for one for"
            " each atom and signal, which can say more; its array, with equal columns, is"
            " filled before the clock starts. Signals have norm one."
        )
    elif feature == BOUND:
        text = (
            "`encode(X, D, max_residual=bound)` and `spams.lasso(X.T, D.T, mode=1,"
            " lambda1=bound**2)`: the least ||w||_1 with ||x - w D|| <= bound. Signals are"
            f" patches with noise of {settings['noise']:g} grey levels of 255, less their mean;"
            f" the bound is {settings['slack']:g} times the expected norm of the noise. Signals"
            " within the bound have the zero code from both. Where the bound is just below the"
            " norm of a signal, the l1 norm is close to zero, and rounding to float32 is a large"
            " part of it. SPAMS has one bound for all signals, we may have one for each."
        )
    else:
        text = (
            "`encode(X, D, max_nonzeros=limit)` and `spams.lasso(X.T, D.T, L=limit, lambda1=0)`:"
            " the path of elastic nets from the zero code, to where one more atom than the limit"
            " would enter. Signals have norm one."
        )
    return [text]


def values_text(feature, dtype):
    """What a table of values shows."""
    if dtype == "float64":
        text = (
            "Largest relative duality gaps in float64, that of SPAMS with its penalty, and largest"
            f" relative differences of {VALUE[feature]}"
        )
    else:
        text = (
            f"The same in float32, with differences of {VALUE[feature]} from that of codes in"
            f" float64, and how many signals differ by more than {FAR:g}"
        )
    if feature == BOUND:
        text += ". Last, the largest norm of a residual over the bound, less one"
    return [f"{text}:"]


def times_table(feature, rows):
    header = ["dtype", "threads", SETTING[feature], "signals", "nonzeros, ours"]
    header += ["nonzeros, SPAMS", OURS, PEER, "SPAMS / ours"]
    lines = []
    for row in rows:
        for threads in row["threads"]:
            line = [row["dtype"], threads, row["setting"], row["signals"]]
            for found in (row["nonzeros"], row["times"]):
                line += [number(found.get((name, threads))) for name in (OURS, PEER)]
            lines.append([*line, number(ratio(row, threads))])
    return table(header, lines)


def ratio(row, threads):
    return row["times"].get((PEER, threads), np.nan) / row["times"][OURS, threads]


def wide_table(feature, rows):
    header = ["SPAMS above ours", "ours above SPAMS"]
    header += ["SPAMS above ours, same penalty", "ours above SPAMS, same penalty"]
    middle = [
        [
            number(row.get(kind, {}).get(name))
            for kind in ("as called", "alike")
            for name in (PEER, OURS)
        ]
        for row in rows
    ]
    return values_table(feature, rows, header, middle)


def narrow_table(feature, rows):
    header = ["our difference", "difference of SPAMS"]
    header += ["our signals that differ", "signals of SPAMS that differ"]
    middle = [
        [number(row["error"].get(name)) for name in (OURS, PEER)]
        + [row["far"].get(name, "-") for name in (OURS, PEER)]
        for row in rows
    ]
    return values_table(feature, rows, header, middle)


def values_table(feature, rows, header, middle):
    """Table of gaps, of the cells in the middle, and where there is a bound of residuals."""
    header = [SETTING[feature], "our gap", "gap of SPAMS", *header]
    if feature == BOUND:
        header += ["our residual", "residual of SPAMS"]
    lines = []
    for row, cells in zip(rows, middle, strict=True):
        line = [row["setting"], *(number(row["gap"].get(name)) for name in (OURS, PEER)), *cells]
        if feature == BOUND:
            line += [number(row["excess"].get(name)) for name in (OURS, PEER)]
        lines.append(line)
    return table(header, lines)


def summary(rows):
    """Means and extremes of the ratios of times, for each feature and dtype."""
    header = ["SPAMS / ours", "dtype", "geometric mean", "smallest", "largest"]
    lines = []
    for feature in SETTING:
        for dtype in ("float64", "float32"):
            own = [row for row in rows if (row["feature"], row["dtype"]) == (feature, dtype)]
            ratios = [ratio(row, threads) for row in own for threads in row["threads"]]
            numbers = np.exp(np.mean(np.log(ratios))), np.min(ratios), np.max(ratios)
            lines.append([feature.lower(), dtype, *map(number, numbers)])
    return table(header, lines)


def verdict(rows):
    """Whether both solve the same problems, and where SPAMS takes less time."""
    wide = [row for row in rows if "alike" in row]
    if not wide:
        return []
    most = max(max(row["alike"].values()) for row in wide)
    text = f"With the same penalty, values in float64 differ by at most {number(most)}."
    others = {row["feature"].lower() for row in wide if max(row["alike"].values()) > SAME}
    if others:
        text += f" More than {SAME:g} are not the same result: {', '.join(sorted(others))}."
    else:
        text += " Both solve the same problems."
    narrow = [row for row in rows if "error" in row]
    error = {name: max(row["error"][name] for row in narrow) for name in (OURS, PEER)}
    far = {name: sum(row["far"][name] for row in narrow) for name in (OURS, PEER)}
    total = sum(row["signals"] for row in narrow)
    text += (
        f" In float32, values are at most {number(error[OURS])} from those in float64, and those"
        f" of SPAMS {number(error[PEER])}; more than {FAR:g} apart are {far[OURS]} and"
        f" {far[PEER]} of {total} codes."
    )
    parts = []
    for feature in SETTING:
        own = [row for row in rows if row["feature"] == feature]
        ratios = [ratio(row, threads) for row in own for threads in row["threads"]]
        below = sum(value < 1.0 for value in ratios)
        parts.append(f"{below} of {len(ratios)} ({feature.lower()})")
    return [text, "", f"Rows where SPAMS takes less time: {', '.join(parts)}."]
