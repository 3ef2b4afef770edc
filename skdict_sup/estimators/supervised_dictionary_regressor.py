"""SupervisedDictionaryRegressor: a dictionary learned for a regression."""

from typing import Any

from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from .._array import to_numpy
from .._typing import Array, RandomState
from ..priors import Prior
from ._labels import read_numbers
from ._lazy import takes_dask
from ._supervised import SupervisedDictionaryEstimator
from ._targets import RealTargets, regression_loss


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
    prior : {"auto", "elastic_net", "kl"} or prior object, default="auto"
        Prior on the codes. "elastic_net" is ``ElasticNet(lam="auto", lam2=0.1, positive=True)``:
        the ridge keeps gradients bounded, and nonnegative codes tell x from -x (signed with
        ``split_sign=True``); "kl" is ``KL()``; "auto" is "kl" for the softmax transfer, else
        "elastic_net". "auto" in a prior is resolved once, when training starts.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for distributions, such as frequencies of words.
    loss : {"auto", "square", "poisson"} or loss object, default="auto"
        "square", half the squared distance, or "poisson", for counts and other targets of at least
        zero, whose mean is the exponential of the scores. A custom loss has the methods
        ``value(scores, target)``, the loss of each sample, and ``gradient(scores, target)``, like
        scores. It sees targets as they are, or of mean zero and unit variance if it has a true
        attribute ``standardised``; predictions are its ``inverse_link(scores)`` if it has that
        method, else the scores. It must have a lower bound.
    nu : float or "auto", default="auto"
        Ridge on the head W, in squared units of the signals. "auto" is the ridge of scikit-learn's
        C=1, one over the total weight of the samples, on codes scaled to nonzero entries of
        typical size one; with at most 10 000 samples it is 0.1 to 100 times that, chosen by the
        loss on held-out quarters of the samples, or 10 000 times where the linear path is best
        alone.
    mu : float, sequence of floats or callable, default=0.0
        Weight of the reconstruction: the objective is ``(1 - mu)`` times the loss plus mu times
        the sparse-coding objective over the mean squared norm of the signals. A sequence, such as
        ``[0.8, 0.5, 0.3, 0.0]``, is for equal parts of the epochs; a function maps the progress
        in [0, 1] to the weight. Unless mu is 0, rows of y that are NaN are unlabelled and count in
        the reconstruction alone.
    dropout : float, default=0.0
        Probability that an entry of a code is hidden from the head in a step.
    head : {"linear", "bilinear"}, default="linear"
        "bilinear" predicts x' W w(x): a linear model of codes whose weights follow the signal.
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
        Rows of a projection Z of the signals, of norm at most one, which is learned with the
        dictionary; codes are those of Z x. Z starts from the leading singular vectors.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        Initial atoms of the unsupervised start: a method or an array.
    init_max_iter : int or "auto", default="auto"
        Passes of the unsupervised start over the signals. With "auto" it processes about 30 000
        signals, or none if init is an array.
    learning_rate : float, "auto" or "mairal", default="auto"
        Initial length of a step of an atom, in units of its norm; steps of the head have an
        eighth of it, on scaled codes and targets. Both warm up and then decay along a cosine.
        "auto" is 0.16; with at most 5000 samples it is 0.16, 0.01 or 0.001 (which keeps the
        start), chosen by the score on held-out quarters in trial trainings. "mairal" takes plain
        gradient steps at a rate chosen by trial, which decays like 1 / t after a tenth of the
        steps.
    batch_size : int or "auto", default="auto"
        Samples per step. "auto" is a fortieth of the samples, at least 32 and at most 256.
    max_iter : int, default=30
        Number of epochs of supervised learning.
    early_stopping : bool, default=False
        Whether to stop when the score of held-out samples no longer rises; keeps the best epoch.
    validation_fraction : float, default=0.1
        Fraction of the samples that early stopping holds out.
    n_iter_no_change : int, default=10
        Epochs without a better validation score after which early stopping ends the fit.
    tol : float, default=1e-4
        Increase of the validation score that counts as better.
    augment : callable or None, default=None
        Function (X, rng) -> X of a mini-batch, as :class:`~skdict_sup.augment.RandomShift`.
    positive_dictionary : bool, default=False
        Whether atoms are nonnegative.
    warm_start : bool, default=False
        Whether fit continues from the last fit, with the current prior and nu.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    split_sign : bool, default=False
        Whether the head sees positive and negative parts of a code; for KL that over [D, -D].
    max_residual, max_nonzeros : float or None and int or None, default=None
        Bound on the residual of each signal in place of lam, and largest number of nonzeros of a
        code, as in :func:`~skdict_sup.encode`; they require mu=0.
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
    components_ : array of shape (n_components, n_features)
        Atoms, of norm at most one; n_projected columns if that is given. If signals are
        standardised, they are atoms of standardised signals.
    mean_, scale_ : arrays of shape (n_features,)
        What is subtracted from signals, and divides them, if they are standardised.
    offset_, offset_components_ : float and array of shape (n_components,)
        The constant feature, and the entries of the atoms for it, if there is one.
    fitted_choices_ : dict
        Values that stand for "auto", by the name of the parameter; lam is one of the prior.
    learning_rate_ : float
        Initial learning rate.
    initial_components_ : array of shape (n_components, n_features)
        Atoms after the unsupervised start (those of the last fit, for a warm one).
    coef_ : array of shape (n_outputs, n_components)
        Head, in the units of the targets; (n_outputs, n_codes, n_features) for a bilinear one.
    intercept_ : array of shape (n_outputs,)
        Intercepts, in the units of the targets.
    linear_coef_, projection_ : arrays of shape (n_outputs or n_projected, n_features)
        Linear model of the signals as they are, if there is one; the projection Z, if n_projected
        is given.
    prior_ : prior object
        The prior, with lam resolved.
    nu_ : float
        Ridge on the head of the codes.
    loss_curve_, n_iter_ : list of float and int
        Mean loss of each epoch, the square loss on targets scaled to unit variance; their number.
    validation_scores_, best_validation_score_ : list of float and float
        Validation R2 of each epoch, and the best of them, if early_stopping.
    n_features_in_, feature_names_in_ : int and array of shape (n_features,)
        Number of features of the signals, and their names if X had any.

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
        self.max_residual = max_residual
        self.max_nonzeros = max_nonzeros
        self.allow_nan = allow_nan
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @takes_dask
    def predict(self, X: Array) -> Array:
        """Predict targets of signals.

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

    def _in_shape_of_results(self, scores):
        """Scores (n_samples, n_outputs, ...) in the shape of the y of fit."""
        return self._targets.shaped(scores)

    def score(self, X: Array, y: Array, sample_weight: Array | None = None) -> float:
        r"""R2 score of the predictions, :math:`1 - \sum (y - \hat y)^2 / \sum (y - \bar y)^2`.

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
            One for perfect predictions, zero for predicting the mean; averaged over the outputs.
        """
        predictions = to_numpy(self.predict(X))
        return r2_score(to_numpy(y), predictions, sample_weight=sample_weight)

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
