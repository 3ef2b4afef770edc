"""SupervisedDictionaryClassifier: a dictionary learned for a classification."""

from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import unique_labels

from .._array import to_numpy
from .._typing import Array, RandomState
from ..priors import Prior
from . import _labels, _targets
from ._class_scores import ClassScores
from ._lazy import takes_dask
from ._parameters import SUPERVISED, Number, Option
from ._supervised import SupervisedDictionaryEstimator


class SupervisedDictionaryClassifier(ClassScores, ClassifierMixin, SupervisedDictionaryEstimator):
    r"""Classify signals by their sparse codes, dictionary and linear model learned together.

    .. math:: \min_{D, W, b} \; \frac1n \sum_i \ell(y_i, W w(x_i, D) + b)
              + \frac{\nu}{2} \|W\|_F^2, \quad \|d_j\|_2 \le 1

    with w(x, D) the sparse code of x. The dictionary is first learned without labels, W on its
    codes; then both are trained by gradients of the loss, with implicit derivatives of codes.

    Parameters
    ----------
    n_components : int, default=100
        Number of atoms.
    prior : {"auto", "elastic_net", "kl"} or prior object, default="auto"
        Prior on the codes: "kl" for the softmax and "elastic_net" else, if "auto". "elastic_net"
        is ``ElasticNet(lam="auto", lam2=0.1, positive=True)`` (signed with ``split_sign=True``).
        "auto" in a prior is resolved once, when training starts.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for distributions, such as frequencies of words.
    loss : {"auto", "softmax", "logistic", "squared_hinge"} or loss object, default="auto"
        "softmax" is the multinomial loss; "logistic" and "squared_hinge" are binary, one against
        the rest for more classes; "auto" is "logistic" for two classes, else "softmax". A custom
        loss has ``value(scores, target)``, the loss of each sample, and ``gradient(scores,
        target)``; targets are one-hot rows, or signs if it has a true attribute ``margins``.
    nu : float or "auto", default="auto"
        Ridge on the head W, in units of the loss. "auto" is the ridge of scikit-learn's C=1, one
        over the total weight of the samples, on codes scaled to nonzero entries of typical size
        one; with at most 10 000 samples it is 0.1 to 100 times that, chosen by the loss on
        held-out quarters, or 10 000 times where the linear path is best alone.
    mu : float, sequence of floats or callable, default=0.0
        Weight of the reconstruction: the objective is ``(1 - mu)`` times the loss plus mu times
        the sparse-coding objective over the mean squared norm of the signals. A sequence, such as
        ``[0.8, 0.5, 0.3, 0.0]``, is for equal parts of the epochs; a function maps the progress
        in [0, 1] to the weight. Unless mu is 0, samples with label -1 are unlabelled and count in
        the reconstruction alone; with mu=0, -1 is a class.
    dropout : float, default=0.0
        Probability that an entry of a code is hidden from the head in a step.
    head : {"linear", "bilinear"}, default="linear"
        "bilinear" scores are x' W w(x): a linear model of codes whose weights follow the signal.
    fit_linear : bool or "auto", default="auto"
        Whether the head also has a linear model of the signals beside that of codes. "auto"
        chooses it, and a ridge of its own, by held-out losses; False beyond 5000 samples, and True
        for the softmax.
    fit_offset, standardise : bool or "auto", default="auto"
        Whether a constant feature is added to the signals, and whether their features are brought
        to mean zero (unless sparse) and unit variance, before they are coded. "auto" chooses both,
        and lam, by trial trainings where lam is "auto" or relative and max_iter at least 10, for
        dense signals of at most 5000 samples or 32 features (see the user guide); otherwise False,
        with a warning if features have unlike scales.
    n_projected : int or None, default=None
        Rows, of norm at most one, of a projection Z of the signals, learned with the dictionary
        from the leading singular vectors on; codes are those of Z x.
    multi_class : {"shared", "ovr"}, default="shared"
        One dictionary for all classes, or n_components atoms for each class against the rest (one
        dictionary for two classes), with the loss "logistic" unless given.
    label_smoothing : float, default=0.0
        Weight of the uniform distribution over classes in the targets; keeps scores small.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        Initial atoms of the unsupervised start: a method or an array.
    init_max_iter : int or "auto", default="auto"
        Passes of the unsupervised start; "auto": about 30 000 signals, none if init is an array.
    learning_rate : float, "auto" or "mairal", default="auto"
        Initial length of a step of an atom, in units of its norm; the head takes an eighth of it.
        Both warm up and then decay along a cosine. "auto" is 0.16; for at most 5000 samples 0.16,
        0.01 or 0.001 (which keeps the start), by the score on held-out quarters. "mairal": plain
        gradient steps, whose rate decays as 1 / t after a tenth of them.
    batch_size : int or "auto", default="auto"
        Samples per step. "auto" is a fortieth of the samples, at least 32 and at most 256.
    max_iter : int, default=30
        Number of epochs of supervised learning.
    early_stopping : bool, default=False
        Whether to stop when the score of held-out samples no longer rises; keeps the best epoch.
    validation_fraction, n_iter_no_change, tol : float, int and float, default=0.1, 10, 1e-4
        Fraction of the samples that early stopping holds out, epochs without a better validation
        score after which it ends the fit, and the increase that counts as better.
    augment : callable or None, default=None
        Function (X, rng) -> X of a mini-batch, as :class:`~skdict_sup.augment.RandomShift`.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, as in scikit-learn.
    positive_dictionary : bool, default=False
        Whether atoms are nonnegative.
    warm_start : bool, default=False
        Whether fit continues from the last fit, with the current prior and nu.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    split_sign : bool, default=False
        Whether the head sees positive and negative parts of a code; for KL that over [D, -D].
    max_residual, max_nonzeros : float or None and int or None, default=None
        Limits in place of lam, as in :func:`~skdict_sup.encode`; they require mu=0.
    allow_nan : bool, default=False
        Whether NaN in X is a missing entry, of which codes and their gradients do not depend.
    device : str or None, default=None
        Array library, with a device after a colon ("cupy", "torch:cuda:0"), in which batches of
        NumPy or SciPy signals are computed, which stay where they are. None computes where X is.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of initial atoms, mini-batches and held-out samples.
    verbose : int, default=0
        1 prints a line per epoch, 2 also one per pass of the unsupervised start.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Class labels.
    components_, initial_components_ : arrays of shape (n_components, n_features or n_projected)
        Atoms (of standardised signals, if they are), and those before supervised learning; with
        "ovr" one dictionary after another.
    coef_, intercept_ : arrays of shape (n_outputs, n_components) and (n_outputs,)
        Head. n_outputs is 1 for two classes with a binary loss, else the number of classes;
        coefficients of a bilinear head have the shape (n_outputs, n_codes, n_features).
    linear_coef_, projection_ : arrays of shape (n_outputs or n_projected, n_features)
        Linear model of the signals as they are, if there is one; the projection Z.
    mean_, scale_ : arrays of shape (n_features,)
        What is subtracted from signals and divides them, if they are standardised.
    offset_, offset_components_ : float and array of shape (n_components,)
        The constant feature, and the entries of the atoms for it, if there is one.
    fitted_choices_ : dict
        Values that stand for "auto", by the name of the parameter; lam is one of the prior.
    prior_, nu_, learning_rate_ : prior object, float and float
        The prior with lam resolved, the ridge on the codes' part of the head, the initial rate.
    loss_curve_, n_iter_, validation_scores_, best_validation_score_ : lists and numbers
        Mean loss of each epoch, and the number of epochs; with early_stopping also the validation
        accuracy of each epoch, and the best of them.
    n_features_in_, feature_names_in_ : int and array of shape (n_features,)
        Number of features of the signals, and their names if X had any.

    See Also
    --------
    SupervisedDictionaryRegressor : The same for regression.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "Application - Classification".

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import SupervisedDictionaryClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = SupervisedDictionaryClassifier(20, max_iter=3, random_state=0)
    >>> bool(model.fit(X[:1000], y[:1000]).score(X[1000:], y[1000:]) > 0.85)
    True
    """

    classes_: np.ndarray

    _learning: ClassVar = SUPERVISED | {
        "multi_class": Option(("shared", "ovr")),
        "label_smoothing": Number(low=0.0, high=0.99),
    }

    def __init__(
        self,
        n_components: int = 100,
        *,
        prior: Prior | str = "auto",
        transfer: str = "linear",
        loss: Any = "auto",
        nu: float | str = "auto",
        mu: Any = 0.0,
        dropout: float = 0.0,
        head: str = "linear",
        fit_linear: bool | str = "auto",
        fit_offset: bool | str = "auto",
        standardise: bool | str = "auto",
        n_projected: int | None = None,
        multi_class: str = "shared",
        label_smoothing: float = 0.0,
        init: Any = "data",
        init_max_iter: int | str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 30,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        augment: Any = None,
        class_weight: dict | str | None = None,
        positive_dictionary: bool = False,
        warm_start: bool = False,
        solver: str = "auto",
        split_sign: bool = False,
        max_residual: float | None = None,
        max_nonzeros: int | None = None,
        allow_nan: bool = False,
        device: str | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.n_components = n_components
        self.prior = prior
        self.transfer = transfer
        self.loss = loss
        self.nu = nu
        self.mu = mu
        self.dropout = dropout
        self.head = head
        self.fit_linear = fit_linear
        self.fit_offset = fit_offset
        self.standardise = standardise
        self.n_projected = n_projected
        self.multi_class = multi_class
        self.label_smoothing = label_smoothing
        self.init = init
        self.init_max_iter = init_max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.augment = augment
        self.class_weight = class_weight
        self.positive_dictionary = positive_dictionary
        self.warm_start = warm_start
        self.solver = solver
        self.split_sign = split_sign
        self.max_residual = max_residual
        self.max_nonzeros = max_nonzeros
        self.allow_nan = allow_nan
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def partial_fit(
        self, X: Array, y: Array, classes: Array | None = None, sample_weight: Array | None = None
    ) -> Self:
        """Continue learning with one pass over further samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,) or None, default=None
            All labels of the stream, for the first call, where None means those in y. Later calls
            must name the same, or None.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

        Returns
        -------
        SupervisedDictionaryClassifier
            The estimator itself.
        """
        known = None if classes is None else unique_labels(to_numpy(classes))
        if known is not None and self._uses_unlabelled():
            known = known[~_labels.is_minus_one(known)]  # no label
        return self._partial_fit(X, y, sample_weight, known=known, in_parts=True)

    def _read_targets(self, y, *, reset, known=None, in_parts=False):
        y, labelled = _labels.read_classes(y, unlabelled=self._uses_unlabelled())
        if reset:
            classes = _labels.classes_of(y, labelled, known, in_parts=in_parts)
        else:
            classes = self.classes_
            _labels.refuse_other_classes(known, classes)
        if reset and known is None:
            _labels.warn_of_minus_one(classes)
        targets = _targets.ClassTargets(classes, self._loss_of(classes), self.label_smoothing)
        return targets, targets.labels(y, labelled), labelled

    def _loss_of(self, classes):
        """Loss without label smoothing."""
        return _targets.classification_loss(self.loss, len(classes), self.multi_class == "ovr")

    @takes_dask
    def predict(self, X: Array) -> Array:
        """Predict labels of signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,)
            For each signal, the label with the highest score.
        """
        scores = to_numpy(self._head_scores(X))
        return self._targets.predictions(scores)

    def score(self, X: Array, y: Array, sample_weight: Array | None = None) -> float:
        """Accuracy of the predicted labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,)
            Labels, in any array library, as are X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample.

        Returns
        -------
        float
            Accuracy, from zero to one.
        """
        return float(accuracy_score(to_numpy(y), self.predict(X), sample_weight=sample_weight))
