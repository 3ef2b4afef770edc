"""Coding, prediction and learning of dask arrays, on one machine or on a cluster.

The functions take the estimators of the package, and return them: there are no other classes.
Results are lazy, but for `fit`. What tasks compute are pure functions of blocks and small states,
without dask (`_blocks`, `_plan`): any engine that calls such functions can drive them.
"""

from .fitting import fit
from .inference import (
    decision_function,
    encode,
    inverse_transform,
    predict,
    predict_proba,
    transform,
)
from .warming import warm_up

__all__ = [
    "decision_function",
    "encode",
    "fit",
    "inverse_transform",
    "predict",
    "predict_proba",
    "transform",
    "warm_up",
]
