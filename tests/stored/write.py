"""Write the files that later versions are tested against: `python tests/stored/write.py`.

A minor version has a folder, which it may write again as long as it is in development. Folders of
versions that are released stay as they are.
"""

import re
import sys
from pathlib import Path

import joblib
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from learners import outputs  # noqa: E402
from storable import EVERY, fitted, samples  # noqa: E402

import skdict_sup  # noqa: E402

ROWS = 3


def main():
    folder = HERE / re.match(r"\d+\.\d+", skdict_sup.__version__).group()
    folder.mkdir(exist_ok=True)
    expected = {}
    for name in EVERY:
        learner = fitted(name)
        X = samples(learner)[0][:ROWS]
        joblib.dump(learner, folder / f"{name}.joblib", compress=9, protocol=4)
        found = {"input": X} | outputs(learner, X)
        expected |= {f"{name}/{output}": np.asarray(value) for output, value in found.items()}
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main()
