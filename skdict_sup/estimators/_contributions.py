"""Contributions of atoms to the scores of the supervised estimators."""

from typing import Any

from .._typing import Array
from ..solution import Contributions
from ..supervised.prediction import predict_contributions


class HeadContributions:
    """Method that says what each atom adds to a score."""

    _head_arguments: Any
    _in_shape_of_results: Any

    def contributions(self, X: Array) -> Contributions:
        r"""Parts of a prediction: what each atom, the linear path and the intercept add to it.

        .. math:: s_k(x) = \sum_j c_{kj}(x) + v_k^\top x + b_k, \quad
                  c_{kj}(x) = W_{kj} \, w_j(x)

        with s the scores: the decision function of a classifier, the prediction of a regressor
        (before the inverse link of its loss, if it has one: the logarithm of the prediction with
        ``loss="poisson"``). W, v and b are ``coef_``, ``linear_coef_`` and ``intercept_``.

        Contributions are in the units of the scores. With ``head="bilinear"``, W depends on the
        signal; with ``split_sign=True``, a contribution is the sum over both halves of a code;
        with ``multi_class="ovr"``, atoms contribute only to the score of their own class. Signals
        are standardised, or get a constant feature, only before they are coded.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals; not a Dask array.

        Returns
        -------
        Contributions
            Record of arrays in the library, dtype and device of X: ``atoms``, with an axis for the
            rows of ``components_``, ``linear`` and ``intercept``; ``total()`` is their sum.

        Raises
        ------
        ValueError, TypeError
            As for the other methods that take X.

        Examples
        --------
        >>> import numpy as np
        >>> from sklearn.datasets import load_digits
        >>> from skdict_sup import SupervisedDictionaryClassifier
        >>> X, y = load_digits(return_X_y=True)
        >>> model = SupervisedDictionaryClassifier(20, max_iter=2, random_state=0)
        >>> model = model.fit(X[:500], y[:500])
        >>> parts = model.contributions(X[500:503])
        >>> parts.atoms.shape
        (3, 10, 20)
        >>> bool(np.allclose(parts.total(), model.decision_function(X[500:503])))
        True
        """
        atoms, linear, intercept = predict_contributions(*self._head_arguments(X))
        shaped = self._in_shape_of_results
        return Contributions(
            atoms=shaped(atoms),
            linear=None if linear is None else shaped(linear),
            intercept=shaped(intercept[None, :])[0, ...],
        )
