"""Versions that are stated in two places are the same ones."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / ".ci").is_dir(), reason="no .ci beside the tests")
HOOKS = {  # repositories of pre-commit, for packages of .ci/lint.txt
    "codespell": "codespell-project/codespell",
    "numpydoc": "numpy/numpydoc",
    "pyright": "RobertCraigie/pyright-python",
    "ruff": "astral-sh/ruff-pre-commit",
}


def pins(name):
    """Package and version of each line of a file of requirements."""
    text = (ROOT / ".ci" / name).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w-]+)(?:\[\w+\])?==([\d.]+)$", text, re.MULTILINE))


def parts(version):
    """Numbers of a version: 2.0 and 2.0.0 are one."""
    return tuple(int(part) for part in re.sub(r"(\.0)+$", "", version).split("."))


def test_pre_commit_runs_the_linters_of_continuous_integration():
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    hooks = dict(re.findall(r"repo: https://github\.com/(\S+)\n\s+rev: v([\d.]+)", text))
    assert {name: hooks[HOOKS[name]] for name in HOOKS} == pins("lint.txt")


def test_the_oldest_dependencies_are_the_lower_bounds():
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    bound = r"([\w-]+)(?:\[[\w,]+\])?>=([\d.]+)(?:,<[\d.]+)?"
    bounds = dict(re.fullmatch(bound, line).groups() for line in needed)
    oldest = pins("oldest.txt")
    assert {name: parts(oldest[name]) for name in oldest} == {
        name: parts(bounds[name]) for name in oldest
    }
    of_users = {line.partition(">")[0] for line in project["dependencies"]}
    assert of_users <= oldest.keys()


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github").rglob("workflows/*.yml")), ids=lambda path: path.name
)
def test_actions_are_pinned_by_commit(path):
    used = re.findall(r"uses: *(\S+)", path.read_text(encoding="utf-8"))
    assert used
    assert not [one for one in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one)]
