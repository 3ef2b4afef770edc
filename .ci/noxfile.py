"""The parts of what continuous integration does, each in an environment of its own.

`nox -f .ci/noxfile.py -l` lists them, and `-s NAME` runs one; what follows `--` goes to pytest,
or to asv. Scripts that `.ci/run` needs too are the files beside this one, which need bash.
"""

from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]

nox.needs_version = ">=2024.4.15"
nox.options.sessions = ["lint", "tests", "docs"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def lint(session):
    """Linters and the type checker."""
    session.chdir(ROOT)
    session.install("-e", ".[test]", "-r", ".ci/lint.txt")
    session.run("bash", ".ci/lint", external=True)


@nox.session
def tests(session):
    """The test suite, with the newest dependencies."""
    session.chdir(ROOT)
    session.install("-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session(python="3.11")
def oldest(session):
    """The test suite, with the oldest dependencies and the oldest Python that are supported."""
    session.chdir(ROOT)
    session.install("-c", ".ci/oldest.txt", "-e", ".[test]")
    session.run("python", "-m", "pytest", "-n", "auto", *session.posargs)


@nox.session
def core_types(session):
    """Promises about bits, with the matrix products of other processors."""
    session.chdir(ROOT)
    session.install("-e", ".[test]")
    session.run("bash", ".ci/core_types", external=True)


@nox.session
def coverage(session):
    """Lines and branches of layers 0 to 4 that the tests run, with a floor."""
    session.chdir(ROOT)
    session.install("-e", ".[test,torch]", "-r", ".ci/pages.txt", "pytest-cov>=6")
    pytest = ("python", "-m", "pytest", "--cov", "--cov-report=", "--cov-fail-under=0")
    session.run(*pytest, "-n", "auto", *session.posargs)
    # compiled loops without vectors run in Python as well, where their branches can be seen
    interpreted = {"NUMBA_DISABLE_JIT": "1"}
    session.run(*pytest, "--cov-append", "tests/kernels/test_kernels.py", env=interpreted)
    session.run("python", "-m", "coverage", "report")  # fails below the floor of pyproject.toml


@nox.session
def docs(session):
    """The site, without running the gallery."""
    session.chdir(ROOT)
    session.install("-e", ".[docs]")
    where = ("docs", "docs/_build/html")
    session.run(
        *("python", "-m", "sphinx", "-W", "--keep-going", "-b", "html", "-D", "plot_gallery=0"),
        *where,
    )


@nox.session
def benchmarks(session):
    """The suite of asv, each benchmark once."""
    session.chdir(ROOT / "asv_benchmarks")
    session.install("-e", "..", "asv>=0.6.4")
    session.run("asv", "machine", "--yes")
    once = ("--python=same", "--quick", "--show-stderr")
    # the first benchmarks learn the dictionaries and compile, which takes longer than asv allows
    session.run("asv", "run", *once, "--attribute", "timeout=600", *session.posargs)


@nox.session(reuse_venv=False)
def main_job(session):
    """The README's first command, in a new environment."""
    session.chdir(ROOT)
    session.run("bash", ".ci/main_job", external=True)
