"""Estimators: parameters and prose; the numerics live in the layers below."""

from .online_dictionary_learning import OnlineDictionaryLearning
from .sparse_coder import SparseCoder
from .supervised_dictionary_classifier import SupervisedDictionaryClassifier
from .supervised_dictionary_regressor import SupervisedDictionaryRegressor

__all__ = [
    "OnlineDictionaryLearning",
    "SparseCoder",
    "SupervisedDictionaryClassifier",
    "SupervisedDictionaryRegressor",
]
