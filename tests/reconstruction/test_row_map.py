"""Products of rows and a matrix."""

import numpy as np
import pytest

from skdict_sup._row_map import RowMap


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [(5, 3), (70, 37)])
def test_a_row_of_a_product_depends_on_that_row_alone(dtype, size):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, size[0])).astype(dtype)
    matrix = rng.normal(size=size).astype(dtype)
    times = RowMap(matrix).prepare()
    whole = times(rows)
    assert whole.dtype == rows.dtype
    exact = rows.astype(np.float64) @ matrix.astype(np.float64)
    np.testing.assert_allclose(whole, exact, atol=1e-4 if dtype == "float32" else 1e-12)
    for part in (slice(0, 1), slice(7, 16), slice(49, 50)):
        np.testing.assert_array_equal(times(rows[part]), whole[part])
