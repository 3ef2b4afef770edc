"""Vectors are as long as the registers of the processor that functions are compiled for.

`.ci/core_types` runs tests of the kernels compiled for other processors than this one.
"""

import os
import subprocess
import sys

import pytest

PRINT = "from skdict_sup.kernels._numba import _processor as p; print(p.BYTES, p.REGISTERS)"


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("+sse2,+avx,+avx2,+avx512f", "64 32"),
        ("+sse2,+avx,+avx2,-avx512f", "32 16"),
        ("+sse2,-avx", "16 16"),
        ("+neon", "16 32"),
    ],
)
def test_vectors_fill_a_register(features, expected):
    paths = os.pathsep.join(path or os.curdir for path in sys.path)
    names = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features, "PYTHONPATH": paths}
    found = subprocess.run(
        [sys.executable, "-c", PRINT],
        env={**os.environ, **names},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == expected
