"""Machine code that another package brings: where it is used, and where not."""

import os
import platform
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import skdict_sup
from skdict_sup.kernels._numba._prebuilt import LEVELS, PACKAGE
from skdict_sup.kernels.ahead import compile_levels

pytestmark = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="levels of x86-64"
)
LEVEL, FEATURES = LEVELS["x86_64"][-1]
USE = """
import numpy as np
from skdict_sup.kernels import overlap_add
from skdict_sup.kernels._numba import overlap_add as compiled
patches = np.ones((12, 2, 2))
print(float(overlap_add(patches, (0, 1, 3), (0, 2, 3, 4), 5, 6).sum()))
found = [f for f in vars(compiled).values() if hasattr(f, "stats") and f.signatures]
print(sum(sum(f.stats.cache_hits.values()) for f in found), len(found))
"""


def use(packages, cache, sources=None, **environment):
    """Hits in caches, and functions, of a process that finds packages in a folder."""
    root = Path(skdict_sup.__file__).parents[1] if sources is None else sources
    paths = os.pathsep.join([str(root), str(packages)])
    done = subprocess.run(
        [sys.executable, "-c", USE],
        env={**os.environ, "PYTHONPATH": paths, "NUMBA_CACHE_DIR": str(cache), **environment},
        cwd=packages,  # Python looks for packages there first
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    total, hits, n_functions = done.stdout.split()
    assert float(total) == 48.0
    assert int(n_functions) > 0
    return int(hits) == int(n_functions)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Folder of a package with the machine code of one kernel for the lowest level."""
    folder = tmp_path_factory.mktemp("packages")
    make(folder / PACKAGE)
    return folder


def make(folder):
    """Write such a package."""
    module = import_module("skdict_sup.kernels.warm_up")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_groups", lambda: [("overlap_add",)])
        assert compile_levels(folder, [LEVEL], ["float64"]) == [LEVEL]
    (folder / "__init__.py").touch()


def of_level(features):
    """Environment of functions for the level's processor under another name."""
    return {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": features}


def test_a_processor_of_the_level_finds_all_functions(packages, tmp_path):
    assert use(packages, tmp_path, **of_level(FEATURES + ",+aes"))
    assert not list(tmp_path.rglob("*.nbc"))  # nothing was compiled


def test_an_installed_package_does_not_keep_functions_out_of_another(
    packages, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(packages)
    make(tmp_path / "other" / PACKAGE)
    assert use(tmp_path / "other", tmp_path / "cache", **of_level(FEATURES))


def test_others_compile(packages, tmp_path):
    fewer = FEATURES.replace("+sse4.2,", "")
    assert not use(packages, tmp_path / "fewer", **of_level(fewer))
    assert not use(packages, tmp_path / "wider", **of_level(LEVELS["x86_64"][1][1]))


def test_changed_sources_compile(packages, tmp_path):
    sources = tmp_path / "sources"
    package = Path(skdict_sup.__file__).parent
    shutil.copytree(
        package, sources / "skdict_sup", ignore=shutil.ignore_patterns("__pycache__", "*.nb[ci]")
    )
    assert use(packages, tmp_path / "same", sources, **of_level(FEATURES))
    inner = sources / "skdict_sup" / "kernels" / "_numba" / "_rows.py"
    inner.write_text(inner.read_text() + "\n# changed\n")
    assert not use(packages, tmp_path / "changed", sources, **of_level(FEATURES))


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_files_compile(packages, tmp_path, suffix):
    damaged = tmp_path / "packages"
    shutil.copytree(packages, damaged)
    for path in damaged.rglob(f"*.{suffix}"):
        path.write_bytes(path.read_bytes()[:-40])
    assert not use(damaged, tmp_path / "cache", **of_level(FEATURES))


def test_unknown_levels_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"among .*x86-64-v3.*, got \['v9'\]"):
        compile_levels(tmp_path, ["v9"])
