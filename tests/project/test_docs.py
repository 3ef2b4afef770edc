"""The site: nothing of it comes from a network, and its pages agree with each other."""

import doctest
import inspect
import io
import re
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

import skdict_sup

DOCS = Path(__file__).resolve().parents[2] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="no docs beside the tests")
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))


def module(name):
    """Names of a file of the configuration."""
    return runpy.run_path(str(DOCS / name))


def page(name):
    return (DOCS / f"{name}.rst").read_text(encoding="utf-8")


def test_the_site_loads_nothing_from_a_network(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))  # the configuration adds to it
    conf = module("conf.py")
    loaded = [conf["mathjax_path"], *conf["html_css_files"]]
    assert not [name for name in loaded if not (DOCS / "_static" / name).is_file()]
    assert not conf["sphinx_gallery_conf"]["write_computation_times"]  # those pages load scripts
    inventories = [inventory for _, inventory in conf["intersphinx_mapping"].values()]
    assert inventories
    assert not [name for name in inventories if not Path(name).is_file()]
    sources = [*DOCS.glob("_static/*.css"), *DOCS.glob("_templates/*.html"), DOCS / "index.rst"]
    elsewhere = r"(src=|href=|url\()\W*(https?:)?//"
    assert not [path for path in sources if re.search(elsewhere, path.read_text("utf-8"))]


def test_the_example_of_the_home_page_prints_what_it_says():
    parts = doctest.DocTestParser().get_examples(page("index"))
    names, printed = {}, io.StringIO()
    with redirect_stdout(printed):
        for part in parts:
            exec(compile(part.source, "index.rst", "single"), names)
    said, found = (re.findall(r"\d+", text) for text in (parts[-1].want, printed.getvalue()))
    # the last digits differ between processors
    assert np.asarray(found, int) == pytest.approx(np.asarray(said, int), abs=1)


def claims():
    """Pairs of a result page and a text of the home page that ends with a link to it."""
    parts = re.split(r":doc:`results/(\w+)`", page("index"))
    texts = [re.split(r"\n- |\n\n", part)[-1] for part in parts[:-1:2]]
    return list(zip(parts[1::2], texts, strict=True))


def test_figures_of_the_home_page_are_those_of_the_results():
    absent = [
        f"{figure} in docs/results/{name}.md"
        for name, text in claims()
        for figure in re.findall(r"(?<![\w.])\d[\d.]*\d(?!\w)", text)
        if not re.search(
            rf"(?<![\d.]){re.escape(figure)}(?!\d|\.\d)",
            (DOCS / "results" / f"{name}.md").read_text(encoding="utf-8"),
        )
    ]
    assert not absent, f"the home page says otherwise: {absent}"


def test_the_figure_of_the_home_page_reads_the_results():
    atoms, without, with_labels = module("_ext/figures.py")["test_errors"]()
    assert len(atoms) == len(without) == len(with_labels) > 1


def test_the_index_of_results_describes_every_page():
    described = set(re.findall(r"\* - :doc:`(\w+)`", page("results/index")))
    assert described == {path.stem for path in (DOCS / "results").glob("*.md")}


def test_the_gallery_has_an_order():
    order = module("_ext/gallery.py")["ORDER"]
    assert sorted(order) == [path.name for path in EXAMPLES]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_and_the_guide_name_each_other(path):
    opening = path.read_text(encoding="utf-8").split('"""')[1]
    assert re.search(r"\b(seconds|minute)\b", opening), "says for how long it runs"
    assert re.search(r":(class|func|mod):`~?\.?skdict_sup\.", opening), "names the reference"
    guides = re.findall(r":doc:`\.\./(user_guide/\w+)`", opening)
    assert guides, "names a page of the guide"
    back = [name for name in guides if path.name in page(name) or path.stem in page(name)]
    assert back, f"{guides} do not name the example"


def test_every_parameter_of_a_learner_has_one_group():
    names = module("_ext/parameter_groups.py")
    grouped = [parameter for members in names["GROUPS"].values() for parameter in members]
    assert len(grouped) == len(set(grouped))
    for learner in names["LEARNERS"]:
        parameters = set(inspect.signature(getattr(skdict_sup, learner)).parameters)
        assert not parameters - set(grouped), learner
