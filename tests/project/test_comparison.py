"""Figures of the page of comparisons are those of the pages of results that it names."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "comparison.rst"
ROW = re.compile(r"^   \* - (.+)\n     - (.+)\n     - ``(docs/results/\w+\.md)``$", re.MULTILINE)
ROWS = ROW.findall(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else []


@pytest.mark.skipif(not PAGE.exists(), reason="no docs beside the tests")
def test_the_tables_of_figures_were_found():
    assert len(ROWS) == PAGE.read_text(encoding="utf-8").count("     - ``docs/results/") > 10


@pytest.mark.parametrize(("what", "figures", "source"), ROWS)
def test_a_figure_is_on_its_page(what, figures, source):
    numbers = re.findall(r"\d+\.\d+|\b\d+\b", figures)
    assert numbers
    there = set(re.findall(r"\d+(?:\.\d+)?", (DOCS.parent / source).read_text(encoding="utf-8")))
    assert set(numbers) <= there, f"{source} has no {set(numbers) - there} ({what})"
