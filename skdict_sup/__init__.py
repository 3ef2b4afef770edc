"""Supervised dictionary learning and differentiable sparse coding.

Exact sparse codes of whole batches, each with a duality gap; gradients through the codes;
estimators that follow scikit-learn. Names are loaded at first use, so that importing the package
is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers only
    from ._trusted import trusted_types
    from ._versions import show_versions
    from .coding import encode, lam_max
    from .estimators import (
        LISTAEncoder,
        OnlineDictionaryLearning,
        SparseCoder,
        SupervisedDictionaryClassifier,
        SupervisedDictionaryRegressor,
        TunedPrior,
        to_device,
        tune_prior,
    )
    from .implicit import code_vjp, encode_with_vjp
    from .kernels.warm_up import warm_up
    from .path import codes_path
    from .priors import KL, ElasticNet, Lp
    from .solution import Contributions, Gradients, Solution

__version__ = "0.1.0.dev0"

_HOMES = {
    "ElasticNet": "priors",
    "KL": "priors",
    "Lp": "priors",
    "Contributions": "solution",
    "Gradients": "solution",
    "LISTAEncoder": "estimators",
    "OnlineDictionaryLearning": "estimators",
    "Solution": "solution",
    "SparseCoder": "estimators",
    "SupervisedDictionaryClassifier": "estimators",
    "SupervisedDictionaryRegressor": "estimators",
    "TunedPrior": "estimators",
    "code_vjp": "implicit",
    "codes_path": "path",
    "encode": "coding",
    "encode_with_vjp": "implicit",
    "lam_max": "coding",
    "show_versions": "_versions",
    "to_device": "estimators",
    "trusted_types": "_trusted",
    "tune_prior": "estimators",
    "warm_up": "kernels.warm_up",
}

__all__ = [
    "KL",
    "Contributions",
    "ElasticNet",
    "Gradients",
    "LISTAEncoder",
    "Lp",
    "OnlineDictionaryLearning",
    "Solution",
    "SparseCoder",
    "SupervisedDictionaryClassifier",
    "SupervisedDictionaryRegressor",
    "TunedPrior",
    "code_vjp",
    "codes_path",
    "encode",
    "encode_with_vjp",
    "lam_max",
    "show_versions",
    "to_device",
    "trusted_types",
    "tune_prior",
    "warm_up",
]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
