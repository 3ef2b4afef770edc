"""Type aliases for public signatures."""

from typing import Any, TypeAlias

import numpy as np

# an array of NumPy, torch, CuPy or any array API library, which share no base class; signals and
# codes may also be SciPy sparse matrices
Array: TypeAlias = Any

# what scikit-learn accepts as a source of randomness
RandomState: TypeAlias = int | np.random.RandomState | None

# sources of randomness of the functions for images: what np.random.default_rng takes
Rng: TypeAlias = int | np.random.Generator | None
