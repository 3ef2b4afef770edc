"""Names for the types that stand in signatures."""

from typing import Any, TypeAlias

import numpy as np

# of NumPy, torch, CuPy or any library that speaks the array API standard, which has no class;
# signals and codes may be SciPy sparse matrices as well
Array: TypeAlias = Any

# what scikit-learn takes for a source of randomness
RandomState: TypeAlias = int | np.random.RandomState | None
