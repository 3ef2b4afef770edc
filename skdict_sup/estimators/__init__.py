"""Estimators: parameters, checks and documentation; the layers below compute."""

from ._moving import to_device
from ._parameters import MOST_COMPONENTS
from .lista_encoder import LISTAEncoder
from .online_dictionary_learning import OnlineDictionaryLearning
from .sparse_coder import SparseCoder
from .supervised_dictionary_classifier import SupervisedDictionaryClassifier
from .supervised_dictionary_regressor import SupervisedDictionaryRegressor
from .tuning import TunedPrior, tune_prior

__all__ = [
    "MOST_COMPONENTS",
    "LISTAEncoder",
    "OnlineDictionaryLearning",
    "SparseCoder",
    "SupervisedDictionaryClassifier",
    "SupervisedDictionaryRegressor",
    "TunedPrior",
    "to_device",
    "tune_prior",
]
