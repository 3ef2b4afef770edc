"""The page on backends says what the registry of kernels holds."""

from pathlib import Path

import pytest

from skdict_sup.kernels import _interop
from skdict_sup.kernels._registry import REGISTRY

PAGE = Path(__file__).resolve().parents[2] / "docs" / "user_guide" / "backends.md"
COLUMNS = {
    "NumPy": _interop.numpy_floats,
    "torch, host": _interop.torch_host_floats,
    "CuPy": _interop.cupy_floats,
    "torch, CUDA": _interop.torch_device_floats,
    "others": None,
}
FLOAT32 = {
    _interop.numpy_floats: _interop.numpy_float32,
    _interop.torch_host_floats: _interop.torch_host_float32,
}
NAMES = {"numba": "numba", "cuda": "CUDA"}


def support():
    """Lines of the table."""
    lines = ["| kernel | " + " | ".join(COLUMNS) + " |", "| --- " * (1 + len(COLUMNS)) + "|"]
    for kernel in dict.fromkeys(v.kernel for v in REGISTRY):
        rows = {v.usable: NAMES[v.backend] for v in REGISTRY if v.kernel == kernel}
        for whole, part in FLOAT32.items():
            if part in rows:
                rows[whole] = f"{rows[part]} (float32)"
        cells = [rows.get(usable, "array API") for usable in COLUMNS.values()]
        lines.append(f"| `{kernel}` | " + " | ".join(cells) + " |")
    return lines


def test_the_table_is_that_of_the_registry():
    if not PAGE.is_file():
        pytest.skip("the documentation is not here")
    page = PAGE.read_text(encoding="utf-8").splitlines()
    table = [line for line in page if line.startswith("|")]
    assert table == support(), "\n" + "\n".join(support())
