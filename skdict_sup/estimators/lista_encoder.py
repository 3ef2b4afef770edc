"""LISTAEncoder: approximate sparse codes by a network of a few layers."""

from typing import Any, Self

from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .._array import to_numpy
from .._threads import one_blas_thread
from .._typing import Array, RandomState
from .._validation import check_scalar
from ..encoders import training
from ..optim import schedules
from ..priors import Prior
from ._fitting import restore_on_error
from ._lazy import available_lazily_if, takes_dask
from ._network import LOSSES, NetworkEstimator
from ._targets import has_likelihood, has_loss


class LISTAEncoder(NetworkEstimator):
    r"""Encode signals by a network whose layers approximate sparse codes.

    .. math:: w_0 = 0, \quad w_{k+1}(x) = \mathrm{layer}_k(w_k(x), x), \quad
              \min_{\mathrm{layers}} \; \frac1n \sum_i C(w_K(x_i), x_i)

    The cost C is the sparse-coding objective itself, which needs no exact codes, or the squared
    distance to exact codes. Layers start as steps of ISTA or FISTA; a few replace many steps.

    Parameters
    ----------
    dictionary : array of shape (n_components, n_features) or None, default=None
        Atoms as rows; None learns them first, from the signals alone.
    architecture : str, default="lista"
        "lista" (layers created by the same fit share the matrix on the signals),
        "lista_recurrent" (all weights shared), "lfista" (with momentum), "facnet" (a rotation and
        a step per axis), "slstm" (the gated cell of SC2Net), "adaptive" (a cell without gates),
        "alista" (an analytic matrix; step and threshold are learned), "step" (the step is
        learned), or "ista" and "fista", which learn nothing.
    n_layers : int, default=10
        Number of layers of the network.
    prior : "elastic_net" or ElasticNet, default="elastic_net"
        Prior on the codes; "auto" in it is resolved on the signals passed to fit.
    target : {"objective", "codes"}, default="objective"
        Cost C: the objective, or the squared distance to exact codes, which are computed first.
    every_layer : bool, default=False
        Whether the cost is the mean over all layers, rather than that of the last one.
    loss : {"softmax", "logistic", "squared_hinge", "square"} or None, default=None
        Loss of a linear model of the last layer's codes, which is trained with the layers:
        a classification loss, or "square" for regression. None ignores y.
    mu : float, default=0.5
        Weight of C over the mean squared norm of the signals; that of the loss is ``1 - mu``.
    safeguard : bool, default=False
        Whether `transform` takes the step of ISTA wherever a layer does worse, at about twice the
        cost: no objective then rises from layer to layer.
    dictionary_update : bool or "tied", default=False
        Whether atoms are trained too, along the gradient of the cost. "tied" makes the matrix on
        the signals in all layers a multiple of the dictionary: encoder and decoder share it. Atoms
        stay within norm one.
    n_components : int, default=100
        Number of atoms to learn, if no dictionary is given.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        Initial atoms of this unsupervised learning: a method or an array.
    init_max_iter : int or "auto", default="auto"
        Its passes over the signals; with "auto" it processes about 30 000 signals.
    optimizer : {"adam", "adadelta"}, default="adam"
        Optimizer of the weights.
    learning_rate : float or "auto", default="auto"
        Initial learning rate, relative to the root mean square of each array of weights; it decays
        to zero along a cosine. "auto" is 0.03, and 1 for Adadelta.
    batch_size : int or "auto", default="auto"
        Signals per step. "auto" is a fortieth of them, at least 32 and at most 64, because larger
        batches gave worse codes.
    max_iter : int, default=30
        Number of epochs.
    warm_start : bool, default=False
        Whether fit starts from the layers, dictionary and prior of the last fit. Additional layers
        start as steps of ISTA; shared weights are applied more often.
    device : str or None, default=None
        Array library, with a device of it after a colon ("cupy", "torch:cuda:0"), in which batches
        of NumPy or SciPy signals are computed; the signals stay in host memory or on disk
        (`numpy.memmap`). None computes where X is.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial atoms and of the order of the signals.
    verbose : int, default=0
        Whether to print a line for each epoch.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The dictionary, in the dtype of the signals.
    layers_ : list of dict
        Weights of each layer, arrays by name.
    prior_ : prior object
        The prior, with lam resolved.
    classes_ : array of shape (n_classes,)
        Class labels, with a classification loss.
    coef_, intercept_ : arrays of shape (n_outputs, n_components) and (n_outputs,)
        Linear model of the codes, if there is a loss.
    loss_curve_ : list of float
        Cost before and after each epoch, in units of the mean squared norm of the signals.
    n_iter_ : int
        Number of epochs, or one if there is nothing to learn.
    n_features_in_, feature_names_in_ : int and array of shape (n_features,)
        Number of features of the signals, and their names if X had any.

    See Also
    --------
    SparseCoder : Exact codes over a dictionary.
    encode : Exact codes, optionally with an encoder as `init`.

    Notes
    -----
    The result is the best epoch, or the untrained layers, by the cost of up to 2000 signals.

    References
    ----------
    K. Gregor, Y. LeCun, "Learning fast approximations of sparse coding", 2010; T. Moreau,
    J. Bruna, "Understanding trainable sparse coding with matrix factorization", 2017; J. Zhou
    et al., "SC2Net: sparse LSTMs for sparse coding", 2018 (the tied dictionary: equations 7, 8).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import LISTAEncoder
    >>> X, _ = load_digits(return_X_y=True)
    >>> encoder = LISTAEncoder(n_components=20, n_layers=3, max_iter=5, random_state=0).fit(X)
    >>> encoder.transform(X).shape
    (1797, 20)
    >>> bool(encoder.loss_curve_[-1] < encoder.loss_curve_[0])
    True
    """

    def __init__(
        self,
        dictionary: Array | None = None,
        *,
        architecture: str = "lista",
        n_layers: int = 10,
        prior: Prior | str = "elastic_net",
        target: str = "objective",
        every_layer: bool = False,
        loss: Any = None,
        mu: Any = 0.5,
        safeguard: bool = False,
        dictionary_update: bool | str = False,
        n_components: int = 100,
        init: Any = "data",
        init_max_iter: int | str = "auto",
        optimizer: str = "adam",
        learning_rate: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 30,
        warm_start: bool = False,
        device: str | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.dictionary = dictionary
        self.architecture = architecture
        self.n_layers = n_layers
        self.prior = prior
        self.target = target
        self.every_layer = every_layer
        self.loss = loss
        self.mu = mu
        self.safeguard = safeguard
        self.dictionary_update = dictionary_update
        self.n_components = n_components
        self.init = init
        self.init_max_iter = init_max_iter
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.loss is not None
        return tags

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn the layers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels or numbers, if there is a loss.

        Returns
        -------
        LISTAEncoder
            The estimator itself. After an interrupt it has the layers of the last complete epoch.
        """
        with restore_on_error(self), one_blas_thread():
            warm = self.warm_start and hasattr(self, "_training")
            X = self._signals(X, reset=not warm, learns=True)
            setup, head, samples = self._training_setup(X, y, warm)
            state = training.initial_state(setup, head)
            self._train(samples, state, setup)
        return self

    def partial_fit(self, X: Array, y: Array | None = None) -> Self:
        """Continue learning with one pass over further signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Labels or numbers, if there is a loss; the first call must contain all classes.

        Returns
        -------
        LISTAEncoder
            The estimator itself.
        """
        with restore_on_error(self), one_blas_thread():
            first = not hasattr(self, "_training")
            X = self._signals(X, reset=first, learns=True)
            setup, head, samples = self._training_setup(X, y, warm=not first)
            if first:
                state = training.initial_state(setup, head)
                curve = [setup.validation_cost(state)]
            else:
                self._check_depth()
                state, curve = self._training, self.loss_curve_
            learning_rates = schedules.Stream(self._initial_learning_rate(), 0.0).learning_rates
            if not setup.architecture.fixed:
                state = training.train_epoch(state, samples, setup, learning_rates, setup.rng)
            self._publish(state, setup, [*curve, setup.validation_cost(state)])
        return self

    @takes_dask
    def transform(self, X: Array, n_layers: int | None = None) -> Array:
        """Encode signals by one forward pass.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        n_layers : int or None, default=None
            Number of layers to apply; None applies all of them.

        Returns
        -------
        array of shape (n_samples, n_components)
            Codes after the last of these layers.
        """
        check_is_fitted(self)
        if n_layers is not None:
            most = len(self.layers_)
            check_scalar(n_layers, "n_layers", low=1, high=most, integer=True, also="or None")
        return self._compute_codes(self._signals(X, reset=False), n_layers)

    @available_if(has_loss)
    def fit_head(self, X: Array, y: Array) -> Self:
        """Fit the optimal linear model on the codes of the current network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers.

        Returns
        -------
        LISTAEncoder
            The estimator itself.

        References
        ----------
        T. Moreau, J. Audiffren, "Post training in deep learning with last kernel", 2016.
        """
        check_is_fitted(self)
        with restore_on_error(self), one_blas_thread():
            X = self._signals(X, reset=False, learns=True)
            self._refit_head(X, y)
        return self

    @available_lazily_if(has_loss)
    def predict(self, X: Array) -> Array:
        """Predict labels or numbers by the linear model of the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            Predictions.
        """
        scores = self._head_scores(self.transform(X))
        return self._targets.predictions(self._targets.to_units(to_numpy(scores)))

    @available_lazily_if(has_likelihood)
    def predict_proba(self, X: Array) -> Array:
        """Predict class probabilities by the linear model of the codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Softmax or sigmoid of the scores; rows sum to one.
        """
        return LOSSES[self.loss].probabilities(self._head_scores(self.transform(X)))

    @available_if(has_loss)
    def score(self, X: Array, y: Array, sample_weight: Array | None = None) -> float:
        """Accuracy of predicted labels, or R2 of predicted numbers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Labels or numbers.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample.

        Returns
        -------
        float
            Mean accuracy; R2 with ``loss="square"``.
        """
        measure = r2_score if self.loss == "square" else accuracy_score
        return float(measure(to_numpy(y), self.predict(X), sample_weight=sample_weight))
