"""What a new user waits for: the import, the first call's compilation, the second process.

python asv_benchmarks/peers/first_contact.py writes docs/results/first_contact.md.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from _common import arguments, machine, number, opening, publish, table
from benchmarks import common

from skdict_sup.kernels._numba._prebuilt import PACKAGE, level
from skdict_sup.kernels.ahead import compile_levels

CHILD = Path(__file__).with_name("_first_contact_child.py")
N_SIGNALS = 512
IMPORTS = (
    "import skdict_sup",
    "from skdict_sup import encode",
    "from skdict_sup import OnlineDictionaryLearning",
    "from skdict_sup import SupervisedDictionaryClassifier",
    "import numba",
)
CALLS = {
    "encode": "encode",
    "OnlineDictionaryLearning.fit": "online",
    "SupervisedDictionaryClassifier.fit": "supervised",
}
PACKAGES = ("skdict-sup", "numpy", "scipy", "numba", "scikit-learn")


def child(*arguments, cache=None, packages=None):
    """Result of a fresh process, with numba's cache and more packages in some folders."""
    command = [sys.executable, str(CHILD), *map(str, arguments)]
    environment = dict(os.environ) if cache is None else {**os.environ, "NUMBA_CACHE_DIR": cache}
    if packages is not None:
        paths = [packages, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(run.stdout.splitlines()[-1])


def measure_imports(repeats):
    """Median seconds of each statement; they take turns, after a round that is not counted."""
    seconds = {text: [] for text in IMPORTS}
    for repeat in range(repeats + 1):
        for text in IMPORTS:
            found = child("import", text)["seconds"]
            if repeat:
                seconds[text].append(found)
    return {text: median(values) for text, values in seconds.items()}


def build_ahead(folder):
    """Compile all functions into the package skdict_sup_kernels of a folder, as its wheel does."""
    (package := Path(folder) / PACKAGE).mkdir()
    (package / "__init__.py").touch()
    compile_levels(package, [level()])


def measure_call(name, path, repeats, packages):
    """For one function: a process with an empty cache, and medians of those that find it full.

    Others have an empty cache and the package of functions that were compiled ahead.
    """
    with tempfile.TemporaryDirectory() as cache:
        empty, *filled = (child("call", name, path, cache=cache) for _ in range(1 + repeats))
    ahead = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            ahead.append(child("call", name, path, cache=cache, packages=packages))
    return {
        "first": empty["first"],
        "compile": empty["first"] - empty["warm"],
        "second process": median(run["first"] for run in filled),
        "load": median(run["first"] - run["warm"] for run in filled),
        "warm": median(run["warm"] for run in filled),
        "ahead": median(run["first"] for run in ahead),
    }


def measure_calls(quick):
    """Rows of the second table."""
    begin, rows = time.perf_counter(), []
    with tempfile.TemporaryDirectory() as folder:
        build_ahead(folder)
        for dtype in ("float64", "float32"):
            X, y = common.digits_to_learn(N_SIGNALS, dtype)
            path = Path(folder) / f"{dtype}.npz"
            np.savez(path, X=X, y=y)
            for name, function in CALLS.items():
                if quick and (name, dtype) != ("encode", "float64"):
                    continue
                times = measure_call(function, path, 1 if quick else 5, folder)
                rows.append({"call": name, "dtype": dtype, **times})
                print(f"{time.perf_counter() - begin:5.0f} s  {name}, {dtype}", flush=True)
    return rows


def page(imports, calls, about, quick):
    """The page, as lines."""
    title = "Import, compilation and the second process"
    lines = opening(title, "first_contact.py", about, quick, ("mnist.npz",))
    header = ["call", "dtype", "first call", "compilation", "second process", "load"]
    header += ["compiled ahead", "warm call"]
    keys = ("first", "compile", "second process", "load", "ahead", "warm")
    return [
        *lines,
        "Seconds, in fresh processes, in each of which `import sklearn.decomposition` came first"
        " and is not counted. Compilation is run once, all else is the median of five processes.",
        "",
        "## Import",
        "",
        "Beyond `import sklearn.decomposition`, with bytecode and file system caches warm:",
        "",
        *table(["statement", "seconds"], [[f"`{k}`", number(v)] for k, v in imports.items()]),
        "",
        "## First calls",
        "",
        f"Calls on {N_SIGNALS} signals ({common.digits_name()}, norm one).",
        "",
        "- `first call`: with the import of the package and an empty `NUMBA_CACHE_DIR`;"
        " `compilation` is what it takes beyond a warm call.",
        "- `second process`: the same call as the first of a process that finds the cache which"
        " the row's first process left; `load` is what it takes beyond a warm call. Both contain"
        " the import of numba.",
        "- `compiled ahead`: the first call with an empty `NUMBA_CACHE_DIR` and the package"
        " `skdict_sup_kernels`, which the folder `kernels` of the repository builds.",
        "- `warm call`: identical calls later in that process.",
        "",
        *table(
            header, [[row["call"], row["dtype"], *(number(row[k]) for k in keys)] for row in calls]
        ),
    ]


def main():
    options = arguments(__doc__.splitlines()[0], "first_contact")
    quick = options.quick
    about = machine(PACKAGES, "those that each call takes by default")
    imports = measure_imports(2 if quick else 5)
    calls = measure_calls(quick)
    publish(page(imports, calls, about, quick), options.output)


if __name__ == "__main__":
    main()
