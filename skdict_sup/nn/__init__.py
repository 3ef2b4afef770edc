"""Layers for PyTorch whose outputs are exact sparse codes, with gradients through them.

``pip install "skdict-sup[torch]"`` installs what this module needs.
"""

try:
    import torch as _torch  # noqa: F401 - a clear message if it is missing
except ImportError as error:
    raise ImportError(
        'skdict_sup.nn needs PyTorch: pip install "skdict-sup[torch]", or see pytorch.org for a '
        "version for your device."
    ) from error

from .conv_sparse_factorization import ConvSparseFactorization
from .functional import sparse_code
from .semi_supervised import MuSchedule, SemiSupervisedLoss
from .sparse_factorization import SparseFactorization

__all__ = [
    "ConvSparseFactorization",
    "MuSchedule",
    "SemiSupervisedLoss",
    "SparseFactorization",
    "sparse_code",
]
