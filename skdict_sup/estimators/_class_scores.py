"""Scores and probabilities of the classes, for the supervised classifier."""

from typing import Any

from sklearn.utils.metaestimators import available_if

from .._array import namespace
from .._typing import Array
from . import _targets
from ._lazy import available_lazily_if, takes_dask


class ClassScores:
    """Methods that say how much the classes are worth for signals."""

    classes_: Any
    _head_scores: Any
    _loss_of: Any

    @takes_dask
    def decision_function(self, X: Array) -> Array:
        """Predict scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the score of the second (over the first).
        """
        return self._in_shape_of_results(self._head_scores(X))

    def _in_shape_of_results(self, scores):
        """Scores (n_samples, n_outputs, ...) as in `decision_function`: one for two classes."""
        if scores.shape[1] > 2:
            return scores
        is_one = scores.shape[1] == 1
        return scores[:, 0, ...] if is_one else scores[:, 1, ...] - scores[:, 0, ...]

    @available_lazily_if(_targets.has_likelihood)
    def predict_proba(self, X: Array) -> Array:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Softmax or sigmoid of the scores; rows sum to one.
        """
        scores = self._head_scores(X)
        return self._loss_of(self.classes_).probabilities(scores)

    @available_if(_targets.has_likelihood)
    def predict_log_proba(self, X: Array) -> Array:
        """Predict logarithms of class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Log-probabilities.
        """
        probabilities = self.predict_proba(X)
        return namespace(probabilities).log(probabilities)
