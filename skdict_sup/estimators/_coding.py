"""What all estimators share: signals in, codes out."""

from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from .._array import astype_like, check_same_device, is_array, is_numpy, is_sparse
from .._atoms import Atoms
from .._signals import Signals, as_signals, batches_on, check_signals
from .._stored import restored_state, stored_state
from .._typing import Array
from .._validation import check_matrix, check_plain, check_shapes, warn_of_empty
from ..coding import make_solver
from ..execution import solve
from ..priors import Prior, as_prior, is_positive
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ..supervised.step import features_of
from ._moving import convert_arrays
from ._parameters import RUNNING, check_parameters


class CodingEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Estimator with a dictionary `components_` and a resolved prior `prior_`."""

    on_host: ClassVar = ("classes_",)  # attributes that `to_device` leaves in host memory
    _running: ClassVar = RUNNING  # rules of the parameters that coding reads

    # parameters that all estimators have; a subclass may fix some of them
    prior: Prior | str
    transfer: str
    solver: str
    split_sign: bool
    device: str | None
    n_jobs: int | None
    verbose: int

    components_: Array
    prior_: Prior
    n_features_in_: int

    def transform(self, X):
        """Encode signals.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.

        Returns
        -------
        array of shape (n_samples, n_components)
            Codes; a SciPy CSR matrix where the estimator has ``output="sparse"``. With
            ``split_sign=True`` twice as many columns: their positive, then their negative halves.
        """
        ready = self._ready(X)
        return ready._features(ready._coded(ready._signals(X, reset=False)))

    def _ready(self, X=None):
        """The estimator, which has to be fitted, to encode the signals X or to reconstruct."""
        check_is_fitted(self)
        return self

    def _coded(self, X):
        """Codes of checked signals."""
        return self._encode(X).code

    def _features(self, code):
        """What users and the head see of codes: themselves, or their two halves."""
        if is_sparse(code) and self.split_sign:
            return csr_matrix(features_of(code.toarray(), self.prior_, self.split_sign))
        return features_of(code, self.prior_, self.split_sign)

    def inverse_transform(self, X):
        """Reconstruct signals from codes: the transfer of ``X @ components_``.

        Parameters
        ----------
        X : array or SciPy sparse matrix of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        array of shape (n_samples, n_features)
            Reconstructed signals.
        """
        return self._ready()._reconstructed_from(X)

    def _reconstructed_from(self, X):
        """Signals of codes that a user hands in."""
        code = X.tocsr() if hasattr(X, "tocsr") else check_matrix(X, "X")
        if code.shape[1] != self._n_features_out:
            raise ValueError(
                f"X must hold codes of {self._n_features_out} components, got shape {code.shape}."
            )
        check_same_device(X=as_signals(code).like, components_=self.components_)
        if self.split_sign:
            p = self.components_.shape[0]
            code = code[:, :p] - code[:, p:]
        return self._reconstructed(code)

    def _reconstructed(self, code):
        """Signals for checked codes."""
        return as_reconstruction(self.transfer).reconstruct(code, Atoms(self.components_))

    @property
    def _n_features_out(self):
        return self.components_.shape[0] * (2 if self.split_sign else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags

    def _signals(self, X, *, reset):
        """Checked `Signals`, in their own array library or with batches on `device`."""
        check_plain(X, "X")
        if isinstance(X, Signals) or (is_array(X) and not is_numpy(X)):
            X = check_signals(X)
            if reset:
                self.n_features_in_ = X.shape[1]
            elif X.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input."
                )
        else:
            floats = [np.float64, np.float32]
            X = as_signals(validate_data(self, X, reset=reset, dtype=floats, accept_sparse="csr"))
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
        """Whether all atoms take part in one code."""
        return getattr(self, "multi_class", "shared") == "shared"

    def _given_dictionary(self, dictionary, X):
        """The parameter `dictionary`, checked, as an array like the signals."""
        dictionary = check_matrix(dictionary, "dictionary")
        if self.device is not None and is_numpy(dictionary):
            dictionary = astype_like(dictionary, X.like)
        check_shapes(X, dictionary)
        return astype_like(dictionary, X.like)

    def set_params(self, **params):
        """Set parameters, those of the prior by ``prior__`` and their name.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator. A prior that is given by name becomes its object where
            one of its own parameters is set.

        Returns
        -------
        object
            The estimator itself.
        """
        prior = params.get("prior", self.prior)
        if isinstance(prior, str) and any(name.startswith("prior__") for name in params):
            params = params | {"prior": self._named_prior(prior)}
        return super().set_params(**params)

    def _named_prior(self, name):
        """Prior object that a name stands for."""
        return as_prior(name)

    def _terms(self):
        """Checked (reconstruction, prior, solver) of the parameters."""
        reconstruction = as_reconstruction(self.transfer)
        named = isinstance(self.prior, str)
        prior = self._named_prior(self.prior) if named else as_prior(self.prior)
        if self.split_sign and is_positive(prior):
            raise ValueError("split_sign=True needs signed codes, got a prior with positive=True.")
        return reconstruction, prior, self._solver(reconstruction, prior)

    def _solver(self, reconstruction, prior):
        """Checked solver."""
        return make_solver(self.solver, reconstruction, prior)

    def _encode(self, X, **options):
        """Solution for checked signals."""
        check_parameters(self, self._running)
        reconstruction = as_reconstruction(self.transfer)
        atoms = Atoms(astype_like(self.components_, X.like))
        problem = Problem(reconstruction, self.prior_, atoms)
        solver = self._solver(reconstruction, self.prior_)
        return solve(problem, X, solver, n_jobs=self.n_jobs, **options)

    def __getstate__(self) -> Any:
        return stored_state(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(restored_state(self, state))

    def _upgraded(self, state, version):
        """State as this version has it, of one that was stored by `version` (None: unknown)."""
        return state

    def __sklearn_array_api_convert__(self, converter):
        """Copy with converted arrays: scikit-learn's hook, and that of `to_device`."""
        return convert_arrays(self, converter, {})
