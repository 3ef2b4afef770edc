"""Versions of the package and its dependencies, for bug reports."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "skdict-sup",
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "array-api-compat",
    "threadpoolctl",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "torch",
    "dask",
    "matplotlib",
    "pillow",
    "scikit-image",
)


def show_versions() -> None:
    """Print the versions of Python, of this package and of its dependencies.

    Examples
    --------
    >>> from skdict_sup import show_versions
    >>> show_versions()  # doctest: +ELLIPSIS
    python: ...
    """
    print(f"python: {sys.version.split()[0]}")
    print(f"machine: {platform.platform()}, {os.cpu_count()} cores")
    for package in _PACKAGES:
        try:
            print(f"{package}: {version(package)}")
        except PackageNotFoundError:
            print(f"{package}: not installed")
