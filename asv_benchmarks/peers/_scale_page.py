"""Tables and text of docs/results/scale.md."""

from _common import THREADS, number, opening, table


def page(found, limits, about, quick):
    """The page, as lines, with the parts that were run."""
    title = "Coding and learning with Dask on one machine"
    lines = opening(title, "scale.py", about, quick, ("mnist.npz",))
    lines += [
        f"`skdict_sup.parallel` on a `LocalCluster` of {THREADS} processes of one thread, with"
        f" {limits[0] / 1e6:.0f} MB of memory each ({limits[1] / 1e6:.0f} MB from the second part"
        " to the fourth), against one process. Signals are float32 digits with norm one: 2048"
        " images, repeated with a small random change each. Priors are elastic nets with lam"
        " 0.15. Workers have loaded the compiled functions before, and keep memory that was freed"
        " as the user guide says (`MALLOC_MMAP_THRESHOLD_`).",
        "",
        "Two processes on one machine have no network between them: the figures show what the"
        " scheduler and copies between processes cost, not how a cluster of machines behaves.",
        "",
    ]
    writers = {
        "coding": lambda row: coding_lines(row, limits[0]),
        "throughput": throughput_lines,
        "online": online_lines,
        "supervised": supervised_lines,
        "stream": lambda row: stream_lines(row, limits[0]),
    }
    for part, write in writers.items():
        if part in found:
            lines += write(found[part]["found"])
            when = found[part]["about"]
            lines += [f"Measured on {when['date']}, when the load was {when['load']:.1f}.", ""]
    return lines


def throughput_lines(rows):
    header = ["dtype", "signals", "no Dask, s", "one worker, s", "two workers, s"]
    header += ["overhead", "two / one"]
    lines = []
    for row in rows:
        seconds = [number(row[name]) for name in ("alone", "one", "two")]
        overhead = f"{100 * (row['one'] / row['alone'] - 1):.1f} %"
        lines.append([row["dtype"], row["n"], *seconds, overhead, number(row["one"] / row["two"])])
    return [
        "## Workers against none",
        "",
        "Codes over 300 atoms as CSR, whose nonzeros are counted. Blocks of 8192 signals are"
        " copies of 20 000 images, which the tasks make. Without Dask, one thread of this process"
        " makes and codes the same blocks in a loop. Shortest of three turns. The overhead is that"
        " of one worker of one thread, scheduler included; the last column is the ratio of the"
        " signals per second.",
        "",
        *table(header, lines),
        "",
    ]


def stream_lines(row, limit):
    peaks, before = (
        ", ".join(f"{peak / 1e6:.0f} MB" for peak in row[name]) for name in ("peaks", "before")
    )
    return [
        "## More rows than memory",
        "",
        f"One pass of `OnlineDictionaryLearning(100)` by `parallel.fit` over {row['n']} signals,"
        f" {row['bytes'] / 1e9:.2f} GB in float32, which the tasks make in blocks of 2048, in"
        f" rounds of 16 384. Each of {THREADS} workers has {limit / 1e6:.0f} MB.",
        "",
        f"- {row['seconds']:.0f} seconds, {row['n'] / row['seconds']:.0f} signals per second",
        f"- largest resident memory of the workers, every 100 ms: {peaks}; before: {before}",
        f"- mean objective {row['objective']:.4f}",
        "",
    ]


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
