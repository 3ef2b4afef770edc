"""What a release says of itself in several places is the same."""

import re
import tomllib
from pathlib import Path

import pytest

import skdict_sup

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / ".ci" / "conda" / "meta.yaml"
pytestmark = pytest.mark.skipif(not RECIPE.is_file(), reason="no .ci beside the tests")


def read(*parts):
    return ROOT.joinpath(*parts).read_text(encoding="utf-8")


def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


def section(name):
    """Requirements of a part of the recipe."""
    (found,) = re.findall(
        rf"^  {name}:\n((?:    - .*\n)+)", read(".ci/conda/meta.yaml"), re.MULTILINE
    )
    return [line.strip("- ") for line in found.splitlines()]


def test_all_files_name_the_version():
    named = {
        "CITATION.cff": re.findall(r"^version: (\S+)$", read("CITATION.cff"), re.MULTILINE),
        "meta.yaml": re.findall(r'set version = "(\S+)"', RECIPE.read_text(encoding="utf-8")),
    }
    assert set(map(tuple, named.values())) == {(skdict_sup.__version__,)}, named


def test_the_changelog_has_the_version_that_is_released():
    head = "[Unreleased]" if "dev" in skdict_sup.__version__ else f"[{skdict_sup.__version__}]"
    assert re.search(rf"^## {re.escape(head)}", read("CHANGELOG.md"), re.MULTILINE)


def test_the_recipe_has_the_dependencies_of_the_package():
    needed = [re.sub(r"(>=)", r" \1", one) for one in project()["dependencies"]]
    python = f"python {project()['requires-python']}"
    assert section("run") == [python, *needed]
    assert python in section("host")
    tools = tomllib.loads(read("pyproject.toml"))["build-system"]["requires"]
    assert {re.sub(r"(>=)", r" \1", one) for one in tools} <= set(section("host"))
    for name in ("summary", "license"):
        value = project()["description" if name == "summary" else name]
        assert f"\n  {name}: {value}\n" in read(".ci/conda/meta.yaml")


def test_addresses_are_stated_everywhere_or_nowhere():
    stated = {
        "pyproject.toml": "urls" in project(),
        "CITATION.cff": "repository-code:" in read("CITATION.cff"),
    }
    assert len(set(stated.values())) == 1, f"some name an address of the project: {stated}"
    cited = re.findall(r"^  - name: \"(.*)\"$", read("CITATION.cff"), re.MULTILINE)
    assert cited == [author["name"] for author in project()["authors"]]


def test_every_form_for_issues_can_be_read():
    forms = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
    assert {"bug.yml", "feature.yml"} <= {form.name for form in forms}
    for form in forms:
        text = form.read_text(encoding="utf-8")
        assert re.match(r"name: .+\ndescription: .+\nbody:\n", text)
        assert text.count("label:") == text.count("- type: ") > 0
