"""SupervisedDictionaryClassifier: a dictionary learned for a classification."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_is_fitted

from .._array import namespace, to_numpy
from .._validation import check_option
from ..losses import CLASSIFICATION_LOSSES, Softmax
from ._supervised import SupervisedDictionaryEstimator


def _has_likelihood(estimator):
    if not hasattr(CLASSIFICATION_LOSSES.get(estimator.loss, Softmax), "probabilities"):
        raise AttributeError(f"predict_proba is not available with loss={estimator.loss!r}.")
    return True


class SupervisedDictionaryClassifier(ClassifierMixin, SupervisedDictionaryEstimator):
    r"""Classify signals by their sparse codes, dictionary and linear model learned together.

    .. math:: \min_{D, W, b} \; \frac1n \sum_i \ell(y_i, W w(x_i, D) + b)
              + \frac{\nu}{2} \|W\|_F^2,
              \quad \|d_j\|_2 \le 1

    with w(x, D) the sparse code of x. The dictionary is first learned without labels, and the
    model on its codes; then both follow the gradient of the loss, which passes through the codes
    by implicit differentiation.

    Parameters
    ----------
    n_components : int, default=100
        Number of atoms.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. "elastic_net" stands for ``ElasticNet(lam="auto", lam2=0.1)``, whose
        ridge steadies the gradient, "kl" for ``KL()``. What is "auto" is resolved once, on the
        first signals and atoms.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised counts of words.
    loss : {"auto", "softmax", "logistic", "squared_hinge"}, default="auto"
        "softmax" is the multinomial logistic loss; "logistic" and "squared_hinge" are binary, one
        against the rest for more classes. "auto" is "logistic" for two classes, else "softmax".
    nu : float or "auto", default="auto"
        Ridge on the head W, in units of the loss. "auto" is one over the number of samples (their
        total weight) on codes scaled to a nonzero entry of typical size one: the ridge of
        scikit-learn's C=1, free of the scale of the signals.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        First atoms of the unsupervised start, or given atoms.
    init_max_iter : int or "auto", default="auto"
        Passes of the unsupervised start; "auto" shows it some 30 000 signals, or none if init is
        an array.
    learning_rate : float or "auto", default="auto"
        Length of an atom's first steps, in units of the norm of an atom; the head's steps are an
        eighth of it on scaled codes. Both rise over the first steps and fall to zero along a
        cosine. "auto" is 0.16.
    batch_size : int or "auto", default="auto"
        Samples in a step; "auto" is a fortieth of them, within 32 and 256.
    max_iter : int, default=30
        Epochs of supervised learning.
    early_stopping : bool, default=False
        Whether to hold out samples, stop when their score stops rising, and keep the best epoch.
    validation_fraction : float, default=0.1
        Part of the samples that early stopping holds out.
    n_iter_no_change : int, default=10
        Epochs without a better validation score after which early stopping ends the fit.
    tol : float, default=1e-4
        Rise of the validation score that counts as better.
    augment : callable or None, default=None
        Applied to the signals of each mini-batch of supervised learning: ``augment(X, rng)``
        returns signals of the same shape, from a batch and a NumPy generator.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn.
    positive_dictionary : bool, default=False
        Whether atoms are nonnegative.
    warm_start : bool, default=False
        Whether fit goes on from the last fit, with a prior or nu that were set since.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    split_sign : bool, default=False
        Whether the linear model sees the halves of a signed code, w = plus - minus, side by side:
        its positive and negative parts, or for KL the code over [D, -D].
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of first atoms, mini-batches and held-out samples.
    verbose : int, default=0
        1 prints a line for each epoch, 2 for each pass of the unsupervised start too.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels.
    components_ : array of shape (n_components, n_features)
        Atoms, of norm at most one.
    initial_components_ : array of shape (n_components, n_features)
        Atoms after the unsupervised start (those of the last fit, for a warm one).
    coef_ : array of shape (n_outputs, n_components)
        Head; n_outputs is 1 for two classes with a binary loss, else the number of classes.
    intercept_ : array of shape (n_outputs,)
        Intercepts of the head.
    prior_ : prior object
        The prior, with lam resolved.
    nu_ : float
        Ridge on the head.
    loss_curve_ : list of float
        Mean loss, for each epoch.
    validation_scores_ : list of float
        Validation accuracy for each epoch, if early_stopping.
    best_validation_score_ : float
        The best of them, if early_stopping.
    n_iter_ : int
        Epochs.
    n_features_in_ : int
        Number of features of the signals.
    feature_names_in_ : array of shape (n_features,)
        Names of the features, if fit saw any.

    See Also
    --------
    SupervisedDictionaryRegressor : The same for regression.
    OnlineDictionaryLearning : Learns the dictionary without labels.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", sections "Main result", "Practical
    Implementation" and "Application - Classification".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import SupervisedDictionaryClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SupervisedDictionaryClassifier(20, max_iter=3, random_state=0)
    >>> bool(model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.85)
    True
    """

    def __init__(
        self,
        n_components=100,
        *,
        prior="elastic_net",
        transfer="linear",
        loss="auto",
        nu="auto",
        init="data",
        init_max_iter="auto",
        learning_rate="auto",
        batch_size="auto",
        max_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        augment=None,
        class_weight=None,
        positive_dictionary=False,
        warm_start=False,
        solver="auto",
        split_sign=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_components,
            prior=prior,
            transfer=transfer,
            loss=loss,
            nu=nu,
            init=init,
            init_max_iter=init_max_iter,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            tol=tol,
            augment=augment,
            positive_dictionary=positive_dictionary,
            warm_start=warm_start,
            solver=solver,
            split_sign=split_sign,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Go on learning with one pass over further samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,) or None, default=None
            All labels there will be; read at the first call, where None stands for those of y.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

        Returns
        -------
        SupervisedDictionaryClassifier
            The estimator itself.
        """
        self._known_classes = None if classes is None else unique_labels(to_numpy(classes))
        try:
            return super().partial_fit(X, y, sample_weight)
        finally:
            del self._known_classes

    def decision_function(self, X):
        """Scores of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_classes)
            For two classes, the score of the second (over the first).
        """
        scores = self._head_scores(X)
        if len(self.classes_) > 2:
            return scores
        return scores[:, 0] if scores.shape[1] == 1 else scores[:, 1] - scores[:, 0]

    @available_if(_has_likelihood)
    def predict_proba(self, X):
        """Probabilities of the classes.

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
        return self._loss().probabilities(scores)

    @available_if(_has_likelihood)
    def predict_log_proba(self, X):
        """Logarithms of `predict_proba`.

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

    def predict(self, X):
        """Labels of signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,)
            For each signal, the label with the highest score.
        """
        check_is_fitted(self)
        return self.classes_[_winners(to_numpy(self.decision_function(X)))]

    def _labels(self, y, *, reset):
        """Class numbers as a column."""
        y = column_or_1d(y, warn=True)
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        if reset:
            known = getattr(self, "_known_classes", None)
            self.classes_ = np.unique(y) if known is None else known
            if len(self.classes_) < 2:
                raise ValueError(
                    f"y must hold at least two classes, got one class only: {self.classes_!r}."
                )
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y must hold labels among {self.classes_!r}, got {unknown!r} too.")
        return np.searchsorted(self.classes_, y)[:, None].astype(np.float64)

    def _class_weighted(self, weight, labels):
        if self.class_weight is None:
            return weight
        number = labels[:, 0].astype(int)
        present = np.unique(number[weight > 0])
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            total = np.bincount(number, weights=weight, minlength=len(self.classes_))
            factor = np.zeros(len(self.classes_))
            factor[present] = weight.sum() / (len(present) * total[present])
        else:
            factor = compute_class_weight(
                self.class_weight, classes=self.classes_, y=self.classes_[number]
            )
        return weight * factor[number]

    def _loss(self):
        check_option(self.loss, "loss", {"auto", *CLASSIFICATION_LOSSES})
        if self.loss == "auto":
            return CLASSIFICATION_LOSSES["logistic" if len(self.classes_) == 2 else "softmax"]
        return CLASSIFICATION_LOSSES[self.loss]

    def _targets(self, labels):
        """Function from row numbers to targets of the loss: one-hot rows, or signs."""
        number = labels[:, 0].astype(int)
        table = np.eye(len(self.classes_))
        if self._loss().margins:
            table = 2 * table[:, 1:] - 1 if len(table) == 2 else 2 * table - 1
        return lambda rows: table[number[rows]]

    def _strata(self, labels):
        return labels[:, 0]

    def _score(self, scores, labels, weight):
        if scores.shape[1] == 1:
            scores = scores[:, 0]
        return accuracy_score(labels[:, 0].astype(int), _winners(scores), sample_weight=weight)


def _winners(scores):
    """Class numbers of highest score."""
    return (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
