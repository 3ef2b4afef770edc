"""Wheel of the compiled functions of skdict_sup, for levels of processors.

It holds machine code for one version of Python and of Numba and for the sources of one version of
skdict_sup, on which its requirements are pinned.
"""

from pathlib import Path

import numba
from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

import skdict_sup
from skdict_sup.kernels._numba._prebuilt import PACKAGE
from skdict_sup.kernels.ahead import compile_levels


class CompileLevels(build_py):
    """Compile all functions for each level into the package."""

    def run(self):
        """Copy the package, and compile into it."""
        super().run()
        compile_levels(Path(self.build_lib, PACKAGE), verbose=1)


class BinaryDistribution(Distribution):
    """A distribution whose wheels are for one version of Python and one platform."""

    def has_ext_modules(self):
        """Whether there is machine code: there is."""
        return True


setup(
    name="skdict-sup-kernels",
    version=skdict_sup.__version__,
    description="Functions of skdict_sup compiled ahead: no compilation at the first call",
    license="BSD-3-Clause",
    python_requires=">=3.11",
    install_requires=[
        f"skdict-sup=={skdict_sup.__version__}",
        f"numba=={numba.__version__}",  # which reads its own files only
    ],
    packages=[PACKAGE],
    cmdclass={"build_py": CompileLevels},
    distclass=BinaryDistribution,
)
