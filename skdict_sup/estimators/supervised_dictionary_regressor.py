"""SupervisedDictionaryRegressor: a dictionary learned for a regression."""

from typing import Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from .._array import to_numpy
from ..priors import Prior
from ._supervised import SupervisedDictionaryEstimator
from ._targets import RealTargets, read_numbers, regression_loss


class SupervisedDictionaryRegressor(RegressorMixin, SupervisedDictionaryEstimator):
    r"""Predict targets by a linear model of sparse codes, dictionary and model learned together.

    .. math:: \min_{D, W, b} \; \frac1n \sum_i \tfrac12 \|y_i - W w(x_i, D) - b\|_2^2
              + \frac{\nu}{2} \|W\|_F^2, \quad \|d_j\|_2 \le 1

    with w(x, D) the sparse code of x. For several targets the columns of W are a second
    dictionary, linked to the first: one atom in the space of the signals, one in the space of the
    targets.

    Parameters
    ----------
    n_components : int, default=100
        Number of atoms.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. "elastic_net" stands for ``ElasticNet(lam="auto", lam2=0.1,
        positive=True)``: the ridge steadies the gradient, and codes w >= 0 tell x from -x, where
        signed ones turn with the signal. With ``split_sign=True`` it is signed. "kl" stands for
        ``KL()``. What is "auto" is resolved once, on the first signals and atoms.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised counts of words.
    loss : {"auto", "square", "poisson"} or loss object, default="auto"
        "square", half the squared distance, or "poisson", for counts and other targets of at least
        zero, whose mean is the exponential of the scores. One's own has the methods
        ``value(scores, target)``, the loss of each sample, and ``gradient(scores, target)``, like
        scores. It sees targets as they are, or of mean zero and unit variance if it has a true
        attribute ``standardised``; predictions are its ``inverse_link(scores)`` if it has that
        method, else the scores. It must have a lower bound.
    nu : float or "auto", default="auto"
        Ridge on the head W, in squared units of the signals. "auto" is one over the number of
        samples (their total weight) on codes scaled to a nonzero entry of typical size one: the
        ridge of scikit-learn's C=1, free of the scale of the signals; for at most 10 000 samples
        0.1, 1, 10 or 100 times that, whichever is best for a quarter of them left out of a first
        fit of W.
    mu : float, sequence of floats or callable, default=0.0
        Weight of the reconstruction: the objective is ``(1 - mu)`` times the loss plus mu times
        the sparse-coding objective over the mean squared norm of the signals. A sequence, such as
        ``[0.8, 0.5, 0.3, 0.0]``, holds for equal parts of the epochs; a function gets the progress
        in [0, 1]. Unless mu is 0, rows of y that are NaN are unlabelled,
        and take part in the reconstruction alone.
    dropout : float, default=0.0
        Part of the entries of codes that the head does not see in a step, drawn anew each time.
    head : {"linear", "bilinear"}, default="linear"
        "bilinear" predicts x' W w(x): a linear model of codes whose weights follow the signal.
    fit_linear : bool, default=False
        Whether the head also has a linear model of the signals themselves beside that of codes.
    n_projected : int or None, default=None
        Rows of a projection Z of the signals, learned with the dictionary: codes are those of Z x.
        It begins with the leading singular vectors; rows have norm at most one.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        First atoms of the unsupervised start, or given atoms.
    init_max_iter : int or "auto", default="auto"
        Passes of the unsupervised start; "auto" shows it some 30 000 signals, or none if init is
        an array.
    learning_rate : float, "auto" or "mairal", default="auto"
        Length of an atom's first steps, in units of the norm of an atom; the head's steps are an
        eighth of it on scaled codes and targets. Both rise over the first steps and fall to zero
        along a cosine. "auto" is 0.16; for at most 5000 samples 0.16, 0.01 or 0.001, whichever has
        the best score on a quarter of them left out of a first training (the start itself for
        0.001). "mairal" takes plain gradient steps instead, at a rate chosen by trial that falls
        like 1 / t after a tenth of the steps.
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
    positive_dictionary : bool, default=False
        Whether atoms are nonnegative.
    warm_start : bool, default=False
        Whether fit goes on from the last fit, with a prior or nu that were set since.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    split_sign : bool, default=False
        Whether the linear model sees the halves of a signed code, w = plus - minus, side by side:
        its positive and negative parts, or for KL the code over [D, -D].
    device : str or None, default=None
        Where batches of NumPy or SciPy signals are made, and so where everything learned lives: an
        array library, and a device of it after a colon ("cupy", "torch:cuda:0"). The signals
        themselves stay in host memory or on disk (`numpy.memmap`). None leaves all where X is.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of first atoms, mini-batches and held-out samples.
    verbose : int, default=0
        1 prints a line for each epoch, 2 for each pass of the unsupervised start too.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        Atoms, of norm at most one; n_projected columns if that is given.
    learning_rate_ : float
        Length of the first steps.
    initial_components_ : array of shape (n_components, n_features)
        Atoms after the unsupervised start (those of the last fit, for a warm one).
    coef_ : array of shape (n_outputs, n_components)
        Head, in the units of the targets; (n_outputs, n_codes, n_features) for a bilinear one.
    intercept_ : array of shape (n_outputs,)
        Intercepts, in the units of the targets.
    linear_coef_ : array of shape (n_outputs, n_features)
        Linear model of the signals, if fit_linear.
    projection_ : array of shape (n_projected, n_features)
        The projection Z, if n_projected is given.
    prior_ : prior object
        The prior, with lam resolved.
    nu_ : float
        Ridge on the head.
    loss_curve_ : list of float
        Mean loss for each epoch; the square loss is that of targets scaled to unit variance.
    validation_scores_ : list of float
        Validation R2 for each epoch, if early_stopping.
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
    SupervisedDictionaryClassifier : The same for classification.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", sections "Main result" and "Application -
    Multivariate Regression".

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdict_sup import SupervisedDictionaryRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SupervisedDictionaryRegressor(20, max_iter=3, random_state=0).fit(X, y)
    >>> model.predict(X[:2]).shape
    (2,)
    """

    def __init__(
        self,
        n_components=100,
        *,
        prior: Prior | str = "elastic_net",
        transfer="linear",
        loss: Any = "auto",
        nu: float | str = "auto",
        mu: Any = 0.0,
        dropout=0.0,
        head="linear",
        fit_linear=False,
        n_projected=None,
        init: Any = "data",
        init_max_iter: int | str = "auto",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        augment=None,
        positive_dictionary=False,
        warm_start=False,
        solver="auto",
        split_sign=False,
        device=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
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
        self.n_projected = n_projected
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
        self.positive_dictionary = positive_dictionary
        self.warm_start = warm_start
        self.solver = solver
        self.split_sign = split_sign
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def predict(self, X):
        """Targets of signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            Predictions, shaped like the y of fit.
        """
        scores = self._head_scores(X)
        return self._targets.predictions(scores)

    def score(self, X, y, sample_weight=None):
        r"""R2 of the predictions, :math:`1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, in any array library, as are X.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample.

        Returns
        -------
        float
            One for perfect predictions, zero for those of the mean; the mean over the outputs.
        """
        found = to_numpy(self.predict(X))
        return r2_score(to_numpy(y), found, sample_weight=sample_weight)

    def _read_targets(self, y, *, reset):
        loss = regression_loss(self.loss)
        numbers, labelled, flat = read_numbers(y, unlabelled=self._uses_unlabelled())
        if hasattr(loss, "check_target"):
            loss.check_target(numbers[labelled])
        if reset:
            return RealTargets(loss, flat=flat), numbers, labelled
        targets = self._targets.with_loss(loss, self.loss)
        targets.check_columns(numbers)
        return targets, numbers, labelled

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
