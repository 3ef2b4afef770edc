"""OnlineDictionaryLearning: unsupervised dictionary learning."""

from typing import Any, ClassVar, Self

from .._array import to_numpy
from .._atoms import atoms_of
from .._threads import one_blas_thread
from .._typing import Array, RandomState
from ..dictionary import online
from ..dictionary.learner import learn_from, learn_unlabelled, method_for
from ..dictionary.start import initial_atoms, resolved_prior
from ..priors import Prior
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ._choices import warn_of_unlike_features
from ._coding import CodingEstimator
from ._fitting import as_generator, atomic_update, restore_on_error
from ._parameters import (
    LEARNING,
    OUTPUT,
    POSITIVE_INTEGER,
    RUNNING,
    Number,
    Switch,
    check_parameters,
)

_SCALER = (
    "Put a StandardScaler before the estimator, unless the features have one unit and are meant "
    "to count by their size."
)


class OnlineDictionaryLearning(CodingEstimator):
    r"""Learn a dictionary without labels, then encode signals over it.

    .. math:: \min_{D, w} \; \frac1n \sum_i \tfrac12 \|x_i - w_i D\|_2^2 + \varphi(w_i),
              \quad \|d_j\|_2 \le 1

    Mini-batches of signals are coded exactly and added to two statistics with slow forgetting, and
    each atom is updated to its optimum given these. Unused atoms are replaced by the signals with
    the largest objectives. With ``transfer="softmax"`` the loss is the relative entropy of the
    signal and softmax(w D), and atoms are updated by projected gradient steps instead.

    Parameters
    ----------
    n_components : int, default=100
        Number of atoms.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes, such as :class:`~skdict_sup.ElasticNet` or :class:`~skdict_sup.KL`;
        "auto" in it is resolved once, on the first signals and the initial atoms.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised counts of words.
    init : {"data", "svd", "kmeans"} or array of shape (n_components, n_features), default="data"
        Initial atoms: random signals, singular vectors, means of clusters, or an array.
    batch_size : int, default=256
        Number of signals between two updates of the dictionary.
    max_iter : int, default=20
        Maximum number of passes of fit over the data.
    tol : float, default=1e-3
        Fit stops when a pass lowers the mean objective by less than this fraction of it; 0 never
        stops.
    forgetting : float, default=2.0
        The i-th of N signals has the weight (i / N)^forgetting in the statistics; 0 forgets
        nothing. The number of passes of fit as its value makes them remember about one pass, which
        nonnegative factorization (lam = 0) needs, where atoms change much after they were coded.
    shuffle : bool, default=True
        Whether fit shuffles the signals before each pass.
    positive_dictionary : bool, default=False
        Whether atoms are nonnegative.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    output : {"dense", "sparse"}, default="dense"
        "sparse" makes transform return a SciPy CSR matrix.
    split_sign : bool, default=False
        Whether transform returns the two halves of a signed code, w = plus - minus, side by side:
        its positive and negative parts, or for KL the code over [D, -D]. This doubles the number
        of features, and mostly helps linear models.
    max_residual : float or None, default=None
        Bound on the norm of the residual of each signal, in the units of X, in place of lam: see
        :func:`~skdict_sup.encode`. `prior` is then an elastic net with lam="auto" (which is not
        used) or with weights of atoms.
    max_nonzeros : int or None, default=None
        Largest number of nonzeros of a code, in place of lam or beside it.
    allow_nan : bool, default=False
        Whether NaN in X is a missing entry: codes are then those of the observed entries, and
        `inverse_transform` of codes gives whole signals. False refuses NaN.
    device : str or None, default=None
        Array library, with a device of it after a colon ("cupy", "torch:cuda:0"), in which batches
        of NumPy or SciPy signals are computed; the signals stay in host memory or on disk
        (`numpy.memmap`). None computes where X is.
    n_jobs : int or None, default=None
        Threads; None takes as many as threadpoolctl grants to BLAS.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial atoms and of the order of the signals.
    verbose : int, default=0
        Above 0, fit prints a line for each pass, transform its progress.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The atoms, of norm at most one.
    prior_ : prior object
        The prior, with lam resolved.
    objective_curve_ : list of float
        Mean objective of the signals at coding time, for each pass of fit or call of partial_fit.
    n_iter_ : int
        Number of passes of fit, or of calls of partial_fit.
    n_seen_ : int
        Number of signals processed, over all passes.
    n_revived_ : int
        Number of unused atoms that were replaced.
    n_features_in_ : int
        Number of features of the signals.
    feature_names_in_ : array of shape (n_features,)
        Names of the features, if X had any.

    Notes
    -----
    The result depends on the stream of signals only: partial_fit on its pieces, however it is cut,
    gives the statistics and the dictionary of one fit with ``max_iter=1, shuffle=False`` (and the
    same initial atoms and lam).

    References
    ----------
    J. Mairal, F. Bach, J. Ponce, G. Sapiro, "Online learning for matrix factorization and sparse
    coding", JMLR 2010, algorithms 1 and 2.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skdict_sup import OnlineDictionaryLearning
    >>> X, _ = load_digits(return_X_y=True)
    >>> learner = OnlineDictionaryLearning(20, max_iter=2, random_state=0).fit(X)
    >>> learner.components_.shape
    (20, 64)
    """

    _running: ClassVar = RUNNING | OUTPUT
    _learning: ClassVar = (
        _running
        | LEARNING
        | {
            "tol": Number(low=0.0),
            "positive_dictionary": Switch(),
            "shuffle": Switch(),
            "batch_size": POSITIVE_INTEGER,
            "forgetting": Number(low=0.0),
        }
    )

    def __init__(
        self,
        n_components: int = 100,
        *,
        prior: Prior | str = "elastic_net",
        transfer: str = "linear",
        init: Any = "data",
        batch_size: int = 256,
        max_iter: int = 20,
        tol: float = 1e-3,
        forgetting: float = 2.0,
        shuffle: bool = True,
        positive_dictionary: bool = False,
        solver: str = "auto",
        output: str = "dense",
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
        self.init = init
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.forgetting = forgetting
        self.shuffle = shuffle
        self.positive_dictionary = positive_dictionary
        self.solver = solver
        self.output = output
        self.split_sign = split_sign
        self.max_residual = max_residual
        self.max_nonzeros = max_nonzeros
        self.allow_nan = allow_nan
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Learn the dictionary from scratch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : None
            Ignored.

        Returns
        -------
        OnlineDictionaryLearning
            The estimator itself. After an interrupt it has the atoms of the last complete pass.
        """
        with restore_on_error(self), one_blas_thread():
            X = self._signals(X, reset=True)
            check_parameters(self, self._learning)
            rng = as_generator(self.random_state)
            state, settings = self._initial_state(X, rng)
            order = rng if self.shuffle else None
            passes = learn_unlabelled(X, state, settings, self.max_iter, order)
            curve = []
            for state, objective in passes:
                curve.append(objective)
                self._publish(state, settings, curve)
                if self.verbose:
                    print(
                        f"pass {len(curve)}/{self.max_iter}: objective {objective:.6g}", flush=True
                    )
                if self.tol and len(curve) > 1 and curve[-2] - curve[-1] < self.tol * curve[-2]:
                    break
        return self

    def partial_fit(self, X: Array, y: Array | None = None) -> Self:
        """Continue learning with further signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : None
            Ignored.

        Returns
        -------
        OnlineDictionaryLearning
            The estimator itself.
        """
        with restore_on_error(self), one_blas_thread():
            first = not hasattr(self, "components_")
            X = self._signals(X, reset=first, learns=True)
            check_parameters(self, self._learning)
            if first:
                state, settings = self._initial_state(X, as_generator(self.random_state))
            else:
                state, settings = self._training, self._settings(self.prior_)
            curve = [] if first else list(self.objective_curve_)
            state, objective = learn_from(state, X, settings)
            self._publish(state, settings, [*curve, float(objective.mean())])
        return self

    def score(self, X: Array, y: Array | None = None) -> float:
        r"""Minus the mean objective of signals, which is higher for a better dictionary.

        .. math:: -\frac1n \sum_i \min_w \; \tfrac12 \|x_i - w D\|_2^2 + \varphi(w)

        With `max_nonzeros` it is minus the mean of half the squared residuals, with `max_residual`
        minus the mean l1 norm of codes (or number of nonzeros, for ``solver="omp"``). Scores are
        comparable for one prior and one scale of the signals only: a smaller lam alone makes the
        objective smaller.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals, such as those that were held out.
        y : None
            Ignored.

        Returns
        -------
        float
            The score, in squared units of the signals.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        """
        coder = self._fitted_coder(X)
        solution = CodingEstimator._encode(coder, coder._signals(X, reset=False))
        limits = self._limits()
        if limits is None:
            return -float(to_numpy(solution.objective).mean(dtype=float))
        problem = Problem(
            as_reconstruction(self.transfer), self.prior_, atoms_of(coder.components_)
        )
        return -float(to_numpy(limits.cost(problem, solution)).mean(dtype=float))

    def _initial_state(self, X, rng):
        """Initial state and settings of learning from scratch."""
        reconstruction, prior, _ = self._check_terms()
        warn_of_unlike_features(self, X, _SCALER)
        dictionary = initial_atoms(X, self.init, self.n_components, rng, self.positive_dictionary)
        prior = resolved_prior(prior, X, dictionary, reconstruction)
        return method_for(reconstruction).initial_state(dictionary), self._settings(prior)

    def _settings(self, prior):
        """Settings of learning, from the parameters and a resolved prior."""
        reconstruction, _, solver = self._check_terms()
        return online.OnlineSettings(
            reconstruction,
            prior,
            solver,
            self.batch_size,
            self.forgetting,
            self.positive_dictionary,
            self.n_jobs,
        )

    @atomic_update
    def _publish(self, state, settings, curve):
        """Set the public attributes from the state of learning."""
        self.components_ = method_for(settings.reconstruction).current_dictionary(state, settings)
        self.prior_ = settings.prior
        self.n_seen_, self.n_revived_ = state.n_seen, state.n_revived
        self.objective_curve_, self.n_iter_ = list(curve), len(curve)
        self._training = state

    def _encode(self, X):
        return super()._encode(X, output=self.output, verbose=self.verbose)
