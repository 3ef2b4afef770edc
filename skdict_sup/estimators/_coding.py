"""Base class of all estimators: checks of signals, and codes."""

from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar, Self

from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._array import astype_like, check_same_device, is_array, is_numpy, is_sparse, to_numpy
from .._atoms import Atoms, atoms_of
from .._signals import Dense, Signals, as_signals, batches_on, check_signals
from .._stored import restored_state, stored_state
from .._typing import Array
from .._validation import (
    check_matrix,
    check_plain,
    check_shapes,
    check_two_dimensional,
    warn,
    warn_of_empty,
    warn_of_unobserved,
)
from .._weighted_signals import MissingSignals
from ..coding import make_solver
from ..dictionary.start import ZeroCodesWarning
from ..execution import Limits, solve
from ..limit_arguments import GREEDY, make_limits
from ..priors import Prior, as_prior, is_positive
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ..supervised.step import code_features
from ._html import HTMLRepresentation
from ._lazy import takes_dask
from ._moving import convert_arrays
from ._parameters import LIMITS, RUNNING, check_parameters

_MANY_SIGNALS = 20  # all of whose codes are not zero by chance


class CodingEstimator(
    HTMLRepresentation, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Estimator with a dictionary `components_` and a resolved prior `prior_`."""

    stays_on_host: ClassVar = ("classes_",)  # attributes that `to_device` leaves in host memory
    _running: ClassVar = RUNNING  # rules for the parameters that coding reads

    # parameters of all estimators, some of which are constants of a subclass
    prior: Prior | str
    transfer: str
    solver: str
    split_sign: bool
    # parameters of some
    max_residual: float | None = None
    max_nonzeros: int | None = None
    allow_nan = False
    device: str | None
    n_jobs: int | None
    verbose: int

    components_: Array
    prior_: Prior
    n_features_in_: int

    @takes_dask
    def transform(self, X: Array) -> Array:
        """Encode signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples, n_components)
            Codes; a SciPy CSR matrix if the estimator has ``output="sparse"``. With
            ``split_sign=True`` twice as many columns: positive halves, then negative halves.
        """
        coder = self._fitted_coder(X)
        X = coder._signals(X, reset=False)
        code = coder._compute_codes(X)
        if coder._limits() is None:
            _warn_of_zero_codes(code, X, coder.prior_)
        return coder._split_features(code)

    def _fitted_coder(self, X=None):
        """Fitted estimator that encodes X or reconstructs; raises if it is not fitted."""
        check_is_fitted(self)
        return self

    def _compute_codes(self, X):
        """Codes of checked signals."""
        return self._encode(X).code

    def _split_features(self, code):
        """Features of codes: the codes, or their two halves with `split_sign`."""
        if is_sparse(code) and self.split_sign:
            return csr_matrix(code_features(code.toarray(), self.prior_, self.split_sign))
        return code_features(code, self.prior_, self.split_sign)

    @takes_dask
    def inverse_transform(self, X: Array) -> Array:
        """Reconstruct signals from codes, as the transfer of ``X @ components_``.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        array of shape (n_samples, n_features)
            Reconstructed signals.
        """
        return self._fitted_coder()._reconstruct_user_codes(X)

    def _reconstruct_user_codes(self, X):
        """Reconstruct signals from unchecked codes."""
        code = X.tocsr() if hasattr(X, "tocsr") else check_matrix(X, "X")
        if code.shape[1] != self._n_features_out:
            raise ValueError(
                f"X must have {self._n_features_out} columns (components), got shape {code.shape}."
            )
        check_same_device(X=as_signals(code).like, components_=self.components_)
        if self.split_sign:
            p = self.components_.shape[0]
            code = code[:, :p] - code[:, p:]
        return self._reconstruct(code)

    def _reconstruct(self, code):
        """Reconstruct signals from checked codes."""
        return as_reconstruction(self.transfer).reconstruct(code, Atoms(self.components_))

    @property
    def _n_features_out(self):
        """Number of columns of transformed signals."""
        return self.components_.shape[0] * (2 if self.split_sign else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = bool(self.allow_nan)
        return tags

    def _refuse_missing(self, X):
        """Raise if what has been learned needs signals without missing entries."""

    def _signals(self, X, *, reset, learns=False):
        """Check signals; return `Signals` in their own library, or with batches on `device`.

        Signals to go on learning from have the dtype of what has been learned.
        """
        check_plain(X, "X")
        dtypes = _dtypes_like(self.components_ if learns and not reset else None)
        if isinstance(X, Signals) or (is_array(X) and not is_numpy(X)):
            X = check_signals(X, finite=not self.allow_nan)
            if isinstance(X, Dense):
                X = X.in_dtype(dtypes)
            if reset:
                self.n_features_in_ = X.shape[1]
            elif X.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input."
                )
        else:
            if getattr(X, "ndim", 2) > 2:
                check_two_dimensional(X, "X")
            finite = "allow-nan" if self.allow_nan else True
            options = {"dtype": dtypes, "accept_sparse": "csr", "ensure_all_finite": finite}
            with _naming_allow_nan(self, finite is True, reset):
                X = as_signals(validate_data(self, X, reset=reset, **options))
        if self.allow_nan:
            X = MissingSignals(X)
            X.check_finite()
            if not reset:
                self._refuse_missing(X)
            warn_of_unobserved(X.n_empty(), X.shape[0])
        reconstruction = as_reconstruction(self.transfer)
        reconstruction.check(X)
        if self.transfer == "softmax" and not reset and self._has_one_dictionary():
            atoms = Atoms(astype_like(self.components_, X.like))
            X, n_empty = Problem(reconstruction, self.prior_, atoms).filled(X)
        else:
            X, n_empty = reconstruction.filled(X)
        warn_of_empty(n_empty)
        X = batches_on(X, self.device)
        if not reset:
            check_same_device(X=X.like, components_=self.components_)
        return X

    def _has_one_dictionary(self):
        """Whether there is one dictionary, rather than one for each output."""
        return getattr(self, "multi_class", "shared") == "shared"

    def _check_dictionary(self, dictionary, X):
        """Check the parameter `dictionary`, and return it as an array like the signals."""
        dictionary = check_matrix(dictionary, "dictionary")
        if self.device is not None and is_numpy(dictionary):
            dictionary = astype_like(dictionary, X.like)
        check_shapes(X, dictionary)
        return astype_like(dictionary, X.like)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of the prior by ``prior__`` and their name.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator. A prior given by name is replaced by its object when one
            of its own parameters is set.

        Returns
        -------
        object
            The estimator itself.
        """
        prior = params.get("prior", self.prior)
        if isinstance(prior, str) and any(name.startswith("prior__") for name in params):
            params = params | {"prior": self._prior_by_name(prior)}
        return super().set_params(**params)

    def _unresolved_prior(self):
        """The parameter `prior` as a prior object."""
        return (
            self._prior_by_name(self.prior)
            if isinstance(self.prior, str)
            else as_prior(self.prior)
        )

    def _prior_by_name(self, name):
        """Prior object for a name."""
        return as_prior(name)

    def _check_terms(self):
        """Check the parameters, and return (reconstruction, prior, solver) for learning."""
        reconstruction = as_reconstruction(self.transfer)
        prior = self._unresolved_prior()
        if self.split_sign and is_positive(prior):
            raise ValueError(
                "split_sign=True requires signed codes, got a prior with positive=True."
            )
        solver = self._check_solver(reconstruction, prior)
        if isinstance(solver, Limits):  # atoms that are being learned may not reach a bound
            solver = replace(solver, warns_of_low_bounds=False)
        return reconstruction, prior, solver

    def _check_solver(self, reconstruction, prior):
        """Check the parameter `solver`, and return the solver, or the limits of codes."""
        return self._limits() or make_solver(self.solver, reconstruction, prior)

    def _limits(self):
        """Limits of codes from the parameters, or None."""
        check_parameters(self, LIMITS)
        if self.max_residual is None and self.max_nonzeros is None and self.solver != GREEDY:
            return None  # a fitted estimator encodes whatever has become of its parameter prior
        terms = self._unresolved_prior(), self.transfer, self.solver
        return make_limits(*terms, self.max_residual, self.max_nonzeros)

    def _encode(self, X, **options):
        """Solution (codes with certificates) for checked signals."""
        check_parameters(self, self._running)
        reconstruction = as_reconstruction(self.transfer)
        atoms = atoms_of(astype_like(self.components_, X.like))
        problem = Problem(reconstruction, self.prior_, atoms)
        solver = self._check_solver(reconstruction, self.prior_)
        return solve(problem, X, solver, n_jobs=self.n_jobs, **options)

    def __getstate__(self) -> Any:
        return stored_state(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(restored_state(self, state))

    def _upgraded(self, state, version):
        """State converted from that of an earlier `version` (None if unknown)."""
        return state

    def __sklearn_array_api_convert__(self, converter):
        """Copy with converted arrays, a hook of scikit-learn that `to_device` uses too."""
        return convert_arrays(self, converter, {})


def _warn_of_zero_codes(code, X, prior):
    """Warn if all codes of many signals are zero, though signals are not."""
    some = slice(_MANY_SIGNALS)  # which are looked at first, since nearly always one code suffices
    if not (is_sparse(code) or is_numpy(code)) or code.shape[0] < _MANY_SIGNALS:
        return
    if code.nnz if is_sparse(code) else code[some].any() or code.any():
        return
    if to_numpy(X.observations(some).values).any():
        warn(
            f"All codes of the {code.shape[0]} signals are zero: {prior!r} has a lam that is too "
            "large for them. Are they scaled as those of the fit were?",
            ZeroCodesWarning,
        )


def _dtypes_like(learned):
    """Names of the dtypes of signals to learn from: that of what has been learned, or all."""
    names = ["float64", "float32"]
    return names if learned is None else [n for n in names if n in str(learned.dtype)]


@contextmanager
def _naming_allow_nan(estimator, is_refused, reset):
    """Name the parameter `allow_nan` in errors that scikit-learn raises for NaN."""
    try:
        yield
    except ValueError as error:
        is_parameter = "allow_nan" in estimator.get_params(deep=False)
        if not (is_refused and is_parameter and "NaN" in str(error)):
            raise
        cure = "set allow_nan=True" if reset else "fit with allow_nan=True, or fill them in"
        raise ValueError(
            f"{str(error).partition(chr(10))[0]} If NaN marks missing entries, {cure}."
        ) from error
