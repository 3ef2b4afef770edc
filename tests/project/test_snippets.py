"""Code of the README and of the user guide, run in order, page by page, on less data.

Blocks with an option, such as a caption that names the package that they need, are not run.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "user_guide"
# what makes it slow: samples, and atoms of estimators
SMALLER = {"1200": "45", "n_components=50": "n_components=4", "(50,": "(4,", "(20,": "(4,"}
NEEDS = {"nn.rst": "torch", "scale.rst": "dask"}  # packages that pages need
PAGES = [ROOT / "README.md", *sorted(GUIDE.glob("*.rst"))]


def blocks(page):
    """Python code of a page, with the line that it begins at."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def few_digits(**settings):
    """The digits 0, 1 and 2, and few of them."""
    X, y = load_digits(return_X_y=True)
    rows = np.flatnonzero(y < 3)[:60]
    return X[rows], y[rows]


load_digits = sklearn.datasets.load_digits


@pytest.mark.filterwarnings("default")  # of so few samples some are to be expected
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda p: p.name)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])
    monkeypatch.setattr(sklearn.datasets, "load_digits", few_digits)
    monkeypatch.chdir(tmp_path)
    parts = blocks(page)
    parts = [part for part in parts if "class Counts" not in part]  # test_regression_losses does
    names = {"__name__": page.stem}
    for part in parts:
        for old, new in SMALLER.items():
            part = part.replace(old, new)
        exec(compile(part, str(page), "exec"), names)
