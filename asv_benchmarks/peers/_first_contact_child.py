"""One process of first_contact.py: prints a line of JSON.

python _first_contact_child.py import "import skdict_sup" times a statement after
`import sklearn.decomposition`; python _first_contact_child.py call encode <signals.npz> times a
first call, with the import of what it calls, and further identical ones.
"""

import json
import sys
import time
from statistics import median

import sklearn.decomposition  # noqa: F401  # the base that times are counted from

WARM = 5  # identical calls after the first
N_COMPONENTS = 50


def statement(text):
    """Seconds of an import statement."""
    start = time.perf_counter()
    exec(text, {})
    return {"seconds": time.perf_counter() - start}


def encode(X, y):
    import skdict_sup

    return skdict_sup.encode(X, X[:N_COMPONENTS])


def online(X, y):
    import skdict_sup

    return skdict_sup.OnlineDictionaryLearning(N_COMPONENTS, max_iter=2, random_state=0).fit(X)


def supervised(X, y):
    import skdict_sup

    learner = skdict_sup.SupervisedDictionaryClassifier(N_COMPONENTS, max_iter=2, random_state=0)
    return learner.fit(X, y)


def calls(name, path):
    """Seconds of the first call, with its imports, and the median of further ones."""
    import numpy as np

    with np.load(path) as data:
        X, y = data["X"], data["y"]
    function, seconds = globals()[name], []
    for _ in range(1 + WARM):
        start = time.perf_counter()
        function(X, y)
        seconds.append(time.perf_counter() - start)
    return {"first": seconds[0], "warm": median(seconds[1:])}


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    print(json.dumps(statement(*rest) if kind == "import" else calls(*rest)))
