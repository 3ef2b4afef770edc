"""What all estimators share: signals in, codes out."""

from contextlib import contextmanager
from functools import wraps

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .._array import astype_like, check_same_device, is_array, is_numpy, is_sparse
from .._atoms import Atoms
from .._linalg import project_ball
from .._staged import staged
from .._stored import Stored
from .._threads import effective_n_jobs
from .._validation import (
    check_matrix,
    check_option,
    check_plain,
    check_scalar,
    check_shapes,
    warn_of_empty,
)
from ..coding import make_solver
from ..dictionary import online
from ..dictionary.initialise import INITS, initial_dictionary
from ..dictionary.learner import learn_unlabelled, learner_of
from ..execution import solve
from ..priors import as_prior, is_positive
from ..problem import Problem, resolve_prior
from ..reconstruction import as_reconstruction
from ..supervised.step import features_of
from ._advice import warn_of_zero_codes
from ._moving import Movable

MOST_COMPONENTS = 32_768  # a Gram matrix of 8 GiB in float64


class CodingEstimator(
    Stored, Movable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Estimator with a dictionary `components_` and a resolved prior `prior_`."""

    _most_in_batch = 256  # samples, where batch_size is "auto"

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
        check_same_device(X=code, components_=self.components_)
        if self.split_sign:
            p = self.components_.shape[0]
            code = code[:, :p] - code[:, p:]
        return self._reconstructed(code, self.components_)

    def _reconstructed(self, code, dictionary):
        """Signals for codes over a dictionary."""
        reconstruction = as_reconstruction(self.transfer)
        return reconstruction.reconstruct(code, Atoms(dictionary))

    @property
    def _n_features_out(self):
        return self.components_.shape[0] * (2 if self.split_sign else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.sparse = True
        return tags

    def _signals(self, X, *, reset):
        """Checked signals, in their own array library."""
        check_plain(X, "X")
        if is_array(X) and not is_numpy(X):
            X = check_matrix(X, "X")
            if reset:
                self.n_features_in_ = X.shape[1]
            elif X.shape[1] != self.n_features_in_:
                raise ValueError(
                    f"X has {X.shape[1]} features, but {type(self).__name__} is expecting "
                    f"{self.n_features_in_} features as input."
                )
        else:
            floats = [np.float64, np.float32]
            X = validate_data(self, X, reset=reset, dtype=floats, accept_sparse="csr")
        reconstruction = as_reconstruction(self.transfer)
        reconstruction.check(X)
        if self.transfer == "softmax" and not reset and self._has_one_dictionary():
            atoms = Atoms(astype_like(self.components_, X))
            X, n_empty = Problem(reconstruction, self.prior_, atoms).filled(X)
        else:
            X, n_empty = reconstruction.filled(X)
        warn_of_empty(n_empty)
        if self.device is not None and (is_numpy(X) or is_sparse(X)):
            X = staged(X, self.device)
        if not reset:
            check_same_device(X=X, components_=self.components_)
        return X

    def _has_one_dictionary(self):
        """Whether all atoms take part in one code."""
        return getattr(self, "multi_class", "shared") == "shared"

    def _given_dictionary(self, X):
        """The parameter `dictionary`, checked, as an array like the signals."""
        dictionary = check_matrix(self.dictionary, "dictionary")
        if self.device is not None and is_numpy(dictionary):
            dictionary = astype_like(dictionary, X)
        check_shapes(X, dictionary)
        return astype_like(dictionary, X)

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
        reconstruction, prior = as_reconstruction(self.transfer), as_prior(self.prior)
        if self.split_sign and is_positive(prior):
            raise ValueError("split_sign=True needs signed codes, got a prior with positive=True.")
        return reconstruction, prior, self._solver(reconstruction, prior)

    def _solver(self, reconstruction, prior):
        """Checked solver."""
        return make_solver(self.solver, reconstruction, prior)

    def _encode(self, X, **options):
        """Solution for checked signals."""
        self._check_running()
        reconstruction = as_reconstruction(self.transfer)
        problem = Problem(reconstruction, self.prior_, Atoms(astype_like(self.components_, X)))
        solver = self._solver(reconstruction, self.prior_)
        return solve(problem, X, solver, n_jobs=self.n_jobs, **options)

    def _check_learning(self):
        """Raise unless the parameters that learning estimators share are in range."""
        check_scalar(self.n_components, "n_components", low=1, high=MOST_COMPONENTS, integer=True)
        check_scalar(self.max_iter, "max_iter", low=1, integer=True)
        check_scalar(self.tol, "tol", low=0.0)
        self._check_running()
        self._check_switches("positive_dictionary")

    def _check_running(self):
        """Raise unless the parameters that do not change the result are in range."""
        effective_n_jobs(self.n_jobs)
        self._check_switches("split_sign")
        if not isinstance(self.verbose, bool):
            check_scalar(self.verbose, "verbose", low=0, integer=True)

    def _check_switches(self, *names, also=""):
        """Raise unless the named ones are True or False; `also` says what else is allowed."""
        for name in names:
            value = getattr(self, name)
            if not isinstance(value, bool):
                raise TypeError(f"{name} must be True or False{also}, got {value!r}.")

    def _check_number_or_auto(self, name, names=frozenset({"auto"}), **bounds):
        value = getattr(self, name)
        if isinstance(value, str):
            check_option(value, name, names)
        else:
            also = " or ".join(map(repr, sorted(names)))
            check_scalar(value, name, also=f"or {also}", **bounds)

    def _batch_size(self, n_samples):
        """Samples in a step."""
        if self.batch_size != "auto":
            return self.batch_size
        return int(min(self._most_in_batch, max(32, n_samples // 40)))

    def _first_atoms(self, X, rng):
        """Dictionary to start from, for `init`."""
        if self.init is None or isinstance(self.init, str):
            check_option(self.init, "init", set(INITS))
            return initial_dictionary(
                X, self.n_components, self.init, rng, self.positive_dictionary
            )
        dictionary = check_matrix(self.init, "init")
        expected = (self.n_components, X.shape[1])
        if tuple(dictionary.shape) != expected:
            raise ValueError(
                f"init must be one of {sorted(INITS)} or an array of shape (n_components, "
                f"n_features) = {expected}, got shape {tuple(dictionary.shape)}."
            )
        return project_ball(astype_like(dictionary, X), self.positive_dictionary)

    def _unlabelled_start(self, X, reconstruction, prior, solver, rng):
        """Dictionary learned without labels, and the prior with what is "auto" resolved."""
        dictionary = self._first_atoms(X, rng)
        prior = resolve_prior(prior, X, dictionary)
        warn_of_zero_codes(prior, X, dictionary)
        n_epochs = self.init_max_iter
        if n_epochs == "auto":
            given = not isinstance(self.init, str)
            n_epochs = 0 if given else int(min(20, max(1, -(-30_000 // X.shape[0]))))
        without = online.OnlineSettings(
            reconstruction, prior, solver, 256, 2.0, self.positive_dictionary, self.n_jobs
        )
        learner = learner_of(reconstruction)
        passes = learn_unlabelled(X, learner.start(dictionary), without, n_epochs, rng)
        for number, (learned, objective) in enumerate(passes, start=1):
            dictionary = learner.published(learned, without)
            if self.verbose > 1:
                print(f"init {number}/{n_epochs}: objective {objective:.6g}", flush=True)
        return dictionary, prior


def generator(random_state):
    """NumPy generator for scikit-learn's random_state."""
    try:
        source = check_random_state(random_state)
    except ValueError:
        raise ValueError(
            f"random_state must be an integer from 0 to 2**32 - 1, a numpy.random.RandomState or "
            f"None, got {random_state!r}."
        ) from None
    return np.random.default_rng(source.randint(2**31, size=4))


@contextmanager
def all_or_nothing(estimator):
    """Restore an estimator's attributes if what is inside fails.

    An interrupt restores them too, unless learning has published a state of its own by then.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException as error:
        published = vars(estimator).get("_state") is not before.get("_state")
        if isinstance(error, Exception) or not published:
            estimator.__dict__ = before
        raise


def in_one_step(method):
    """Let what a method sets appear at once: it works on a draft, which then takes over."""

    @wraps(method)
    def call(estimator, *args, **kwargs):
        draft = object.__new__(type(estimator))
        draft.__dict__ = dict(vars(estimator))
        method(draft, *args, **kwargs)
        estimator.__dict__ = draft.__dict__

    return call
