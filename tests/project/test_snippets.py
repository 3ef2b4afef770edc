"""Code of the README and of the pages, run in order, page by page.

What a page shows as the output of a block is compared with what the block prints; such pages are
run as they are, and others on less data. Blocks with a caption that says what they need, such as
a package or a cluster, are run by test_snippets_with_needs.
"""

import pytest
import sklearn.datasets
from page_code import ROOT, alike, blocks, few_digits, pages, run

from skdict_sup.solvers import SOLVERS

# what makes it slow: samples, atoms of estimators, and passes
SMALLER = {
    "Classifier(50, random": "Classifier(4, max_iter=1, random",
    "Classifier(20, random": "Classifier(4, max_iter=1, random",
    "augment=shift, random": "augment=shift, max_iter=1, random",
    "1200": "45",
    "n_components=50": "n_components=4",
    "(50,": "(4,",
    "(20,": "(4,",
    "[16, 32]": "[3, 4]",
    "epoch in range(40)": "epoch in range(2)",
}
NEEDS = {  # packages that pages need
    "backends.md": "torch",
    "nn.rst": "torch",
    "pytorch.rst": "torch",
    "scale.rst": "dask",
    "large_data.rst": "dask",
    "spams.rst": "spams",
}
PAGES = pages()


def smaller(code):
    """Code for fewer samples and atoms."""
    for old, new in SMALLER.items():
        code = code.replace(old, new)
    return code


@pytest.fixture
def registered_solvers():
    """Solvers that a page registers are forgotten after it."""
    before = dict(SOLVERS)
    yield
    SOLVERS.clear()
    SOLVERS.update(before)


def ids(page):
    return page.relative_to(ROOT).as_posix()


CURE = "If this is right, run python tests/support/page_code.py with the page."
WITH_CODE = [page for page in PAGES if page.exists() and blocks(page)]
SHOWING = [page for page in WITH_CODE if any(block.output for block in blocks(page))]


def require(page):
    """Skip a page whose package is not installed."""
    if page.name in NEEDS:
        pytest.importorskip(NEEDS[page.name])


@pytest.mark.filterwarnings("default")  # fits of so few samples give some
@pytest.mark.parametrize("page", [page for page in WITH_CODE if page not in SHOWING], ids=ids)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    require(page)
    monkeypatch.setattr(sklearn.datasets, "load_digits", few_digits)
    monkeypatch.chdir(tmp_path)
    parts = [block.code for block in blocks(page)]
    parts = [part for part in parts if "class Counts" not in part]  # test_regression_losses does
    names = {"__name__": page.stem}
    for part in parts:
        run(smaller(part), names, page)


@pytest.mark.parametrize("page", SHOWING, ids=ids)
def test_a_page_shows_what_its_code_prints(page, tmp_path, monkeypatch, registered_solvers):
    require(page)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": page.stem}
    for block in blocks(page):
        found = run(block.code, names, page)
        if block.output is not None:
            message = f"{page} shows\n{block.output}\nbut the code prints\n{found}\n{CURE}"
            assert alike(block.output, found), message


@pytest.mark.parametrize(
    ("expected", "found"),
    [("a 0.981\n", "a  0.983"), ("[2e-15]", "[7e-14]"), ("0.5 dB", "0.6 dB")],
)
def test_outputs_that_differ_in_last_digits_are_alike(expected, found):
    assert alike(expected, found)


@pytest.mark.parametrize(
    ("expected", "found"), [("0.90", "0.95"), ("3 of 4", "4 of 4"), ("True", "False"), ("0.1", "")]
)
def test_outputs_that_differ_are_found(expected, found):
    assert not alike(expected, found)
