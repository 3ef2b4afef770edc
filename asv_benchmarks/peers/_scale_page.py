"""Tables and text of docs/results/scale.md."""

from _common import THREADS, number, opening, table


def page(found, limits, about, quick):
    """The page, as lines, with the parts that were run."""
    title = "Coding and learning with Dask on one machine"
    lines = opening(title, "scale.py", about, quick, ("mnist.npz",))
    lines += [
        f"`skdict_sup.parallel` on a `LocalCluster` of {THREADS} processes of one thread, with"
        f" {limits[0] / 1e6:.0f} MB of memory each (to learn {limits[1] / 1e6:.0f} MB), against"
        " one process. Signals are float32 digits with norm one: 2048 images, repeated with a"
        " small random change each. Priors are elastic nets with lam 0.15. Workers have loaded the"
        " compiled functions before.",
        "",
        "Two processes on one machine have no network between them: the figures show what the"
        " scheduler and copies between processes cost, not how a cluster of machines behaves.",
        "",
    ]
    if "coding" in found:
        lines += coding_lines(found["coding"], limits[0])
    if "online" in found:
        lines += online_lines(found["online"])
    if "supervised" in found:
        lines += supervised_lines(found["supervised"])
    return lines


def coding_lines(row, limit):
    n, few = row["n"], row["n memory"]
    header = ["what", "signals", "seconds", "signals/s"]
    rows = [
        ["making, by two processes", few, row["making"]],
        ["making and coding, by two processes", n, row["coding"]],
        ["coding in memory, one process of two threads", few, row["memory"]],
    ]
    rows = [[name, k, number(s), f"{k / s:.0f}"] for name, k, s in rows]
    return [
        "## Lazy codes",
        "",
        f"{n} signals of {row['m']} features, {row['bytes'] / 1e9:.2f} GB, are made by the tasks"
        " that code them: nothing is stored. Codes over 300 atoms are CSR blocks with"
        " certificates, of which only means and maxima are kept.",
        "",
        *table(header, rows),
        "",
        f"- largest resident memory of a worker, every 100 ms: {row['peak'] / 1e6:.0f} MB of"
        f" {limit / 1e6:.0f} MB",
        f"- mean objective {row['objective']:.4f}, {number(row['nonzeros'])} nonzeros per signal,"
        f" largest duality gap {number(row['gap'])}, {row['converged']:.0f} codes converged",
        f"- the codes of the first {few} signals are those in memory, bit for bit:"
        f" {yes(row['same bits'])}",
        "",
    ]


def yes(is_same):
    return "yes" if is_same else "NO"


def online_lines(row):
    rows = [
        ["`parallel.fit`, two processes", number(row["parallel"])],
        ["rounds of it", number(row["in rounds"])],
        ["`partial_fit`, one process of two threads", number(row["partial_fit"])],
    ]
    return [
        "## Learning without labels",
        "",
        f"One pass of `OnlineDictionaryLearning(100)` over {row['n']} signals in a file, in"
        f" blocks of 2048 and {row['rounds']} rounds of at most 16 384, from the same initial"
        " atoms. Tasks and `partial_fit` open the file as a memory map. Before the first"
        " round, `parallel.fit` gathers 30 000 signals from all over the file.",
        "",
        *table(["what", "seconds"], rows),
        "",
        f"- the same atoms, bit for bit: {yes(row['same bits'])}",
        "",
    ]


def supervised_lines(row):
    few, many = row[1], row[THREADS]
    header = ["workers", "seconds for a round", "model", "efficiency", "model", "seconds in all"]
    rows = [
        [1, number(few["round"]), number(few["model"]), "1", "1", number(few["whole"])],
        [
            THREADS,
            number(many["round"]),
            number(many["model"]),
            number(few["round"] / (THREADS * many["round"])),
            number(few["model"] / (THREADS * many["model"])),
            number(many["whole"]),
        ],
    ]
    return [
        "## Learning with labels",
        "",
        f"`SupervisedDictionaryClassifier(300)` on {row['n']} signals in a file, {row['rounds']}"
        f" rounds of {row['batch']} signals in two passes, as printed by `verbose=2`; medians."
        " Seconds in all include the first fit of the linear model, in one process. Efficiency is"
        " the time with one worker over that with two workers, times two. The model is that by"
        " which `parallel.fit` warns of small mini-batches (docs/user_guide/scale.rst).",
        "",
        *table(header, rows),
        "",
        f"- the same atoms with one worker and with two, bit for bit: {yes(row['same bits'])}",
        "",
    ]
