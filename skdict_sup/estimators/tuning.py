"""Tuning of hyper-parameters of the prior by gradients of a validation loss: `tune_prior`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from .._array import namespace, take_rows, to_numpy
from .._records import Observations
from .._threads import one_blas_thread
from .._typing import Array, RandomState
from .._validation import check_scalar, collect_warnings, warn
from ..dictionary.start import ZeroCodesWarning
from ..priors import is_per_atom, is_plain_elastic_net
from ..supervised import head_fit, hypergradient
from ..supervised.coding_layer import encode
from ._fitting import as_generator
from ._supervised import SupervisedDictionaryEstimator

_MOST_SAMPLES = 10_000  # training samples, and validation samples, of a validation loss, at most
# factors of lam among which a search chooses its start
_FACTORS = (4.0, 2.0, 1.0, 0.5, 0.25, 0.125)
_PREPARATION = ("standardise", "fit_offset")
_ZERO_FRACTION = 0.9  # fraction of zero codes from which codes are said to be of no help
_RANGE = 100.0  # largest factor by which a hyper-parameter changes in a round


@dataclass(frozen=True)
class TunedPrior:
    """Result of :func:`tune_prior`.

    Attributes
    ----------
    estimator : estimator
        The estimator with the tuned prior, not fitted. ``standardise`` and ``fit_offset`` are what
        "auto" chose in the first fit, because lam is in the units of the signals so prepared.
    prior : prior object
        The tuned prior, that with the smallest of the losses.
    values : list of dict
        Hyper-parameters at which the validation loss was computed, in order.
    losses : list of float
        The validation losses.
    """

    estimator: Any
    prior: Any
    values: list = field(default_factory=list)
    losses: list = field(default_factory=list)


def tune_prior(
    estimator: Any,
    X: Array,
    y: Array,
    *,
    names: Sequence[str] | None = None,
    validation_fraction: float = 0.25,
    n_rounds: int = 2,
    max_iter: int = 10,
    random_state: RandomState = None,
    verbose: int = 0,
) -> TunedPrior:
    r"""Choose lam (and p) of a supervised estimator's prior by descent on a validation loss.

    A round fits the estimator on a part of the samples; then, with its dictionary fixed, it
    minimises the loss of the remaining samples,

    .. math:: \min_h \; L_\mathrm{val}(\theta^*(h), w(\cdot; h)), \quad
              \theta^*(h) = \arg\min_\theta L_\mathrm{train}(\theta, w(\cdot; h))
              + \tfrac{\nu}{2} \|\theta\|^2,

    in the logarithms of the hyper-parameters h, by L-BFGS. With an elastic net it begins at the
    best of some factors of lam, whose codes are those of one path. The gradient is exact: it
    passes through the codes (:func:`code_vjp`) and through the optimal head. Each round is one fit
    and some ten codings, where a grid search needs a fit for each value and fold. The validation
    samples are the same in all rounds, and the values with the smallest loss of all are kept. A
    round that finds none is the last one.

    Parameters
    ----------
    estimator : SupervisedDictionaryRegressor or SupervisedDictionaryClassifier
        The estimator, which is cloned; the search starts from its prior. Callbacks of
        scikit-learn that are set on it, such as a progress bar, see the fit of each round.
    X : array-like of shape (n_samples, n_features)
        Signals.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Targets, for all samples.
    names : sequence of str or None, default=None
        Hyper-parameters to tune, each above zero: "lam" and "lam2" of an elastic net, "lam" and
        "p" of KL, "lam" of Lp. None is "lam", and "p" if it is a number. An array is multiplied
        by one factor.
    validation_fraction : float, default=0.25
        Fraction of the samples for the validation loss.
    n_rounds : int, default=2
        Largest number of rounds of a fit and a search.
    max_iter : int, default=10
        Maximum number of iterations of each search.
    random_state : int, RandomState instance or None, default=None
        Seed of the split.
    verbose : int, default=0
        Whether to print a line at the start of a round, for each value tried, and for the best of
        them after a round. The `verbose` of the estimator is for its fits.

    Returns
    -------
    TunedPrior
        The estimator (not fitted) with the tuned prior, and the history of the search.

    Raises
    ------
    TypeError, ValueError
        If the estimator is of another kind, or a name is not that of a positive hyper-parameter of
        its prior.

    References
    ----------
    F. Pedregosa, "Hyperparameter optimization with approximate gradient", 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skdict_sup import SupervisedDictionaryRegressor, tune_prior
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SupervisedDictionaryRegressor(10, max_iter=2, random_state=0)
    >>> tuned = tune_prior(model, X, y, n_rounds=1, random_state=0)
    >>> min(tuned.losses) <= tuned.losses[0]
    True
    >>> model = tuned.estimator.fit(X, y)
    """
    if not isinstance(estimator, SupervisedDictionaryEstimator):
        cure = ": pass its last step and the signals that reach it"
        raise TypeError(
            f"estimator must be a SupervisedDictionaryRegressor or -Classifier, got "
            f"{type(estimator).__name__}{cure if isinstance(estimator, Pipeline) else ''}."
        )
    for name in ("max_residual", "max_nonzeros"):
        value = getattr(estimator, name)
        if value is not None:
            raise ValueError(
                f"tune_prior chooses lam, but {name}={value!r} takes the place of lam: use a grid "
                f"search over {name}."
            )
    check_scalar(n_rounds, "n_rounds", low=1, integer=True)
    check_scalar(max_iter, "max_iter", low=1, integer=True)
    check_scalar(validation_fraction, "validation_fraction", low=0.0, high=0.99, strict=True)
    rng = as_generator(random_state)
    model: Any = clone(estimator)
    model.set_params(warm_start=False, early_stopping=False)
    search = _Search(verbose)
    parts = _split(model, X, y, validation_fraction, int(rng.integers(2**31)))
    seed = int(rng.integers(2**31))
    preparation: dict[str, bool] = {}
    for number in range(1, n_rounds + 1):
        smallest = search.smallest
        search.report(f"round {number}/{n_rounds}: fit to {len(parts[0][1])} samples")
        _tune_once(model, parts, names, max_iter, np.random.default_rng(seed), search)
        search.report(f"smallest validation loss so far {search.smallest:.6g}, {search.prior}")
        if search.smallest == smallest:
            break
        # lam is in the units of the prepared signals, so that its preparation stays
        chosen = model.fitted_choices_
        preparation |= {name: chosen[name] for name in _PREPARATION if name in chosen}
        model.set_params(prior=search.prior, **preparation)
    search.warn_if_codes_are_zero()
    tuned: Any = clone(estimator)
    tuned.set_params(prior=search.prior, **preparation)
    return TunedPrior(tuned, search.prior, search.values, search.losses)


class _Search:
    """History of a search: the values tried, their losses, and the prior with the smallest."""

    def __init__(self, verbose):
        self.verbose, self.values, self.losses = verbose, [], []
        self.start = time.perf_counter()
        self.smallest: float = np.inf
        self.prior: Any = None
        self.zero_fraction = 0.0  # zero codes among those for the best prior

    def record(self, prior, values, loss):
        """Add the prior, the hyper-parameters and the loss of a trial."""
        self.values.append(values)
        self.losses.append(loss)
        if self.prior is None or loss < self.smallest:
            self.smallest, self.prior = loss, prior
        shown = ", ".join(f"{name} {np.max(value):.4g}" for name, value in values.items())
        self.report(f"{shown}: validation loss {loss:.6g}")

    def report(self, text):
        """Print a line with the seconds since the search began, if it is verbose."""
        if self.verbose:
            seconds = time.perf_counter() - self.start
            print(f"tune_prior: {seconds:.1f} s, {' '.join(text.split())}", flush=True)

    def warn_if_codes_are_zero(self):
        """Warn if the best prior makes nearly all codes zero."""
        if self.zero_fraction >= _ZERO_FRACTION:
            warn(
                "tune_prior found the smallest validation loss at "
                f"lam={np.max(self.prior.lam):.4g}, where {self.zero_fraction:.0%} of the "
                "training codes are zero: codes do not help to predict y. More atoms, "
                "standardise=True or more samples may change that; otherwise use a linear model "
                "of the signals."
            )


def _tune_once(model, parts, names, max_iter, rng, search):
    """Search the prior with the smallest validation loss for the dictionary of one fit.

    `parts` are the training and the validation samples, each a pair (X, y).
    """
    _fit(model, parts[0], search)
    smallest = search.smallest
    with one_blas_thread():
        train, validation = (_batch(model, X, y, rng) for X, y in parts)
        settings, learned = model._training.settings, model._training.state.parameters
        parameters = {name: _as_float64(a) for name, a in learned.items()}
        prior = settings.prior
        names = _check_names(prior, names)
        initial = {name: getattr(prior, name) for name in names}
        vector = head_fit.HeadProblem(parameters, settings).flatten(parameters)

        def with_values(values):
            return type(prior)(**prior.get_params() | values)

        def objective(logs):
            nonlocal vector
            factors = map(float, np.exp(logs))
            values = {k: initial[k] * factor for k, factor in zip(names, factors, strict=True)}
            trial = with_values(values)
            loss, gradient, vector = hypergradient.loss_and_gradient(
                parameters, vector, train, validation, replace(settings, prior=trial)
            )
            search.record(trial, values, loss)
            return loss, np.array([np.sum(gradient[name] * values[name]) for name in names])

        log_range, start = np.log(_RANGE), np.zeros(len(names))
        if "lam" in names and is_plain_elastic_net(prior) and settings.reconstruction.quadratic:
            batches = train, validation
            losses = hypergradient.losses_on_path(parameters, vector, *batches, settings, _FACTORS)
            for factor, loss in zip(_FACTORS, losses, strict=True):
                values = initial | {"lam": factor * initial["lam"]}
                search.record(with_values(values), values, loss)
            start[names.index("lam")] = np.log(_FACTORS[int(np.argmin(losses))])
        minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(-log_range, log_range)] * len(names),
            options={"maxiter": max_iter, "ftol": 1e-5},
        )
        if search.smallest < smallest:
            coded = encode(parameters, train.X, replace(settings, prior=search.prior))
            search.zero_fraction = float(np.mean(~np.any(to_numpy(coded.code) != 0, axis=1)))


def _fit(model, samples, search):
    """Fit a model, without warnings about a lam that the search has found."""
    with collect_warnings() as found:
        model.fit(*samples)
    for message, category in found:
        if search.prior is None or not issubclass(category, ZeroCodesWarning):
            warn(message, category)


def _split(model, X: Any, y, fraction, seed):
    """Split X and y into training and validation samples, stratified for classifiers."""
    X = X if hasattr(X, "shape") else np.asarray(X)
    y = to_numpy(y)
    strata = y if model.__sklearn_tags__().estimator_type == "classifier" else None
    rows = np.arange(X.shape[0])
    parts = train_test_split(rows, test_size=fraction, random_state=seed, stratify=strata)
    X = X.to_numpy() if hasattr(X, "to_numpy") else X
    return [(take_rows(X, part), y[part]) for part in parts]


def _batch(model, X, y, rng):
    """Batch of at most 10 000 samples in float64, with targets of the loss of a fitted model."""
    rows = rng.permutation(X.shape[0])[:_MOST_SAMPLES]
    samples, _ = model._read_samples(take_rows(X, rows), y[rows], None, reset=False)
    samples = samples.prepared(model._training.settings.preparation)
    batch = samples.batch(np.arange(len(rows)))
    target, weight = _as_float64(batch.target), _as_float64(batch.weight)
    X = batch.X
    X = X.map(_as_float64) if isinstance(X, Observations) else _as_float64(X)
    return replace(batch, X=X, target=target, weight=weight)


def _as_float64(array):
    """Array in float64, which finite differences of gradients need."""
    xp = namespace(array)
    return xp.astype(array, xp.float64)


def _check_names(prior, names):
    """Check names of hyper-parameters, and return them as a list."""
    if names is None:
        names = ["lam", *(["p"] if np.ndim(getattr(prior, "p", [])) == 0 else [])]
    settings = prior.get_params()
    for name in names:
        value = settings.get(name)
        is_number = isinstance(value, float | int) and not isinstance(value, bool)
        if not (is_number or is_per_atom(value)) or not np.max(value) > 0:
            raise ValueError(
                f"names must list hyper-parameters of {type(prior).__name__} above zero, got "
                f"{name!r} with value {value!r}."
            )
    return list(names)
