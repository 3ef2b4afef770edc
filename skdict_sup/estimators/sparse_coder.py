"""SparseCoder: sparse codes over a fixed dictionary."""

from copy import copy
from typing import ClassVar, Self

import numpy as np

from .._typing import Array
from .._validation import check_matrix
from ..coding import make_solver
from ..dictionary.start import resolved_prior
from ..limit_arguments import refuse_max_iter
from ..priors import Prior
from ._coding import CodingEstimator
from ._fitting import restore_on_error
from ._parameters import OUTPUT, RUNNING, Number, check_parameters


class SparseCoder(CodingEstimator):
    r"""Encode signals over a fixed dictionary.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)

    `transform` and `inverse_transform` do not require `fit`: "auto" in the prior is then resolved
    on the signals passed to `transform`.

    Parameters
    ----------
    dictionary : array of shape (n_components, n_features)
        Atoms as rows, of any norm.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes, such as :class:`~skdict_sup.ElasticNet` or :class:`~skdict_sup.KL`;
        "auto" in it is resolved on the signals passed to fit.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signal; "softmax" is for signals that are distributions, such as
        normalised counts of words.
    solver : str, default="auto"
        See :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Relative duality gap, for smooth priors relative optimality residual, at which a code
        counts as converged; None is 1e-9 in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations of the solver per signal.
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
    verbose : int, default=0
        Above 0, transform prints its progress.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The dictionary, in the dtype of the signals.
    prior_ : prior object
        The prior, with lam resolved.
    n_iter_ : int
        Number of passes of fit over the signals, which is one.
    n_features_in_ : int
        Number of features of the signals.
    feature_names_in_ : array of shape (n_features,)
        Names of the features, if X had any.

    See Also
    --------
    encode : The same as a function, with a certificate for each code.
    OnlineDictionaryLearning : Learns the dictionary too.

    References
    ----------
    J. Mairal, "Backpropagation rules for sparse coding", section "The Sparse Decomposition
    Problem".

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup import ElasticNet, SparseCoder
    >>> coder = SparseCoder(np.eye(2), prior=ElasticNet(lam=1.0))
    >>> coder.fit_transform(np.array([[3.0, 0.5], [0.0, -2.0]]))
    array([[ 2.,  0.],
           [ 0., -1.]])
    """

    _running: ClassVar = RUNNING | OUTPUT | {"tol": Number(low=0.0, strict=True, none=True)}

    def __init__(
        self,
        dictionary: Array,
        *,
        prior: Prior | str = "elastic_net",
        transfer: str = "linear",
        solver: str = "auto",
        tol: float | None = None,
        max_iter: int | None = None,
        output: str = "dense",
        split_sign: bool = False,
        max_residual: float | None = None,
        max_nonzeros: int | None = None,
        allow_nan: bool = False,
        device: str | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.dictionary = dictionary
        self.prior = prior
        self.transfer = transfer
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.output = output
        self.split_sign = split_sign
        self.max_residual = max_residual
        self.max_nonzeros = max_nonzeros
        self.allow_nan = allow_nan
        self.device = device
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Array, y: Array | None = None) -> Self:
        """Check the parameters, and resolve "auto" in the prior on the signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : None
            Ignored.

        Returns
        -------
        SparseCoder
            The estimator itself.
        """
        with restore_on_error(self):
            X = self._signals(X, reset=True)
            check_parameters(self, self._running)
            reconstruction, prior, _ = self._check_terms()
            self.components_ = self._check_dictionary(self.dictionary, X)
            self.prior_ = resolved_prior(prior, X, self.components_, reconstruction)
            self.n_iter_ = 1
        return self

    def _fitted_coder(self, X=None):
        """Fitted coder: the estimator itself, or a copy whose prior is resolved on X."""
        if hasattr(self, "components_"):
            return self
        coder = copy(self)
        if X is not None:
            return coder.fit(X)
        coder.components_ = check_matrix(self.dictionary, "dictionary")
        return coder

    @property
    def _n_features_out(self):
        """Number of columns of transformed signals."""
        if not self.__sklearn_is_fitted__():
            # `hasattr` and `dir` take no other error
            raise AttributeError(f"dictionary must have two dimensions, got {self.dictionary!r}.")
        return np.shape(self.dictionary)[0] * (2 if self.split_sign else 1)

    def __sklearn_is_fitted__(self):
        """Whether there is a dictionary, which is given: fit learns nothing."""
        return getattr(self.dictionary, "ndim", np.ndim(self.dictionary)) == 2

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def _check_solver(self, reconstruction, prior):
        limits = self._limits()
        if limits is not None:
            refuse_max_iter(self.max_iter)
        return limits or make_solver(self.solver, reconstruction, prior, self.max_iter)

    def _encode(self, X):
        return super()._encode(X, tol=self.tol, output=self.output, verbose=self.verbose)
