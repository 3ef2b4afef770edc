"""The tables of the README are such as the main jobs print."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from skdict_sup.demo.command import _table
from skdict_sup.demo.image_command import table_of
from skdict_sup.demo.methods import Row

README = Path(__file__).resolve().parents[2] / "README.md"
ROW = r"^(.+?)  +(\d+\.\d\d) %(?:  +(\d+\.\d)  +(\d+e-\d+))?  +(\d+\.\d)$"
RESTORED = r"^(.+?)  +(\d+\.\d\d) dB  +(\d\.\d{3})(?:  +(\d+\.\d))?$"
BLOCKS = re.findall(r"^```text\n(.*?)\n```$", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def optional(text):
    return float(text) if text else None


@pytest.mark.parametrize(("block", "n_splits"), list(zip(BLOCKS[:2], (5, 1), strict=True)))
def test_the_tables_of_the_readme_are_those_of_the_main_job(block, n_splits):
    rows = [
        Row(name, float(error) / 100, optional(nonzeros), optional(gap), float(seconds))
        for name, error, nonzeros, gap, seconds in re.findall(ROW, block, re.MULTILINE)
    ]
    assert len(rows) == 3
    assert block == _table(rows, SimpleNamespace(n_splits=n_splits))[1:-1]


def test_the_table_of_photographs_is_that_of_their_job():
    (block,) = BLOCKS[2:]
    found = [
        SimpleNamespace(name=name, psnr=float(psnr), ssim=float(ssim), seconds=optional(seconds))
        for name, psnr, ssim, seconds in re.findall(RESTORED, block, re.MULTILINE)
    ]
    assert len(found) == 5
    assert block == table_of(found)[1:-1]


@pytest.mark.parametrize("block", BLOCKS)
def test_no_line_of_a_table_is_wider_than_a_terminal(block):
    assert max(map(len, block.splitlines())) <= 79
