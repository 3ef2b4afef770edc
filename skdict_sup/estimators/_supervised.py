"""Base class of the supervised regressor and classifier: fitting, and scores."""

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._array import to_numpy
from .._prepared_signals import prepared
from .._threads import one_blas_thread
from .._typing import Array
from .._validation import check_plain
from ..losses import check_loss_shapes
from ..priors import as_prior
from ..reconstruction import as_reconstruction
from ..supervised import coding_layer
from ..supervised.data import Samples
from ..supervised.head_fit import refit_head
from ..supervised.prediction import predict_scores, reconstruct
from ..supervised.rate_search import AUTO_RATES
from ..supervised.step import initial_state, split_atoms
from ..supervised.trainer import Training
from ._callbacks import CallbackSupportMixin, Epochs, with_callbacks
from ._coding import CodingEstimator
from ._contributions import HeadContributions
from ._fitting import as_generator, atomic_update, generator_from_state, restore_on_error
from ._parameters import SUPERVISED, check_parameters
from ._published import parameters_like, publish
from ._targets import check_rows
from ._training import (
    check_training,
    continued_settings,
    hold_out,
    initial_state_and_settings,
    make_trainer,
    refuse_missing,
)

_DEFAULT_LAM2 = 0.1  # lam2 of prior="elastic_net": stable codes for correlated atoms


class SupervisedDictionaryEstimator(CallbackSupportMixin, HeadContributions, CodingEstimator):
    """Estimator that learns a dictionary and a linear head together.

    A subclass defines the parameters, `_read_targets` and `predict`.
    """

    _learning: ClassVar = SUPERVISED  # rules for the parameters that training reads

    # parameters of the subclasses that this class reads
    mu: Any
    learning_rate: float | str
    batch_size: int | str
    max_iter: int
    augment: Any
    warm_start: bool
    random_state: Any
    multi_class = "shared"  # all atoms in one code; "ovr": a dictionary for each output
    class_weight: Any = None

    coef_: Array  # attributes in ATTRIBUTES exist if the fit has learned them
    intercept_: Array
    projection_: Array
    learning_rate_: float
    loss_curve_: list
    _training: Training
    _targets: Any

    @with_callbacks
    def fit(self, X: Array, y: Array = None, sample_weight: Array | None = None) -> Self:
        """Learn dictionary and head.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, which are required.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss; a sample of weight two counts as two samples.

        Returns
        -------
        object
            The estimator itself. After an interrupt it has the state of the last complete epoch:
            a fit with ``warm_start=True`` and the same data then gives the result of a whole fit.

        Raises
        ------
        ValueError
            If a parameter or the data are out of range, or the loss becomes infinite or NaN, as it
            may for a large `learning_rate`. The estimator is then unchanged.
        """
        interrupted = self._interrupted_training()
        n_epochs = self.max_iter if interrupted is None else interrupted.n_epochs_left
        epochs = Epochs(self, n_epochs, X, y)
        with restore_on_error(self), one_blas_thread():
            warm = self.warm_start and hasattr(self, "_training")
            samples, targets = self._read_samples(X, y, sample_weight, reset=not warm)
            check_training(self)
            trainer, rng = make_trainer(self, targets), as_generator(self.random_state)
            if interrupted is not None:
                rng = generator_from_state(interrupted.initial_rng_state)
            start = {"initial_rng_state": rng.bit_generator.state, "n_epochs": self.max_iter}
            samples = samples.with_positive_weight().deduplicated()
            samples, held_out = hold_out(self, samples, targets, rng)
            learning_rate = None
            if interrupted is not None:
                # raises if a parameter contradicts the first fit
                continued_settings(self, targets)
                training = interrupted
            elif warm:  # the schedule and the moments of the optimizer start again
                state = initial_state(self._training.state.parameters)
                learning_rate = self._warm_learning_rate()
                rng_state = rng.bit_generator.state
                training = Training(state, continued_settings(self, targets), rng_state, **start)
            else:
                state, settings = initial_state_and_settings(self, samples, targets, rng)
                training = Training(state, settings, rng.bit_generator.state, **start)
            preparation = training.settings.preparation
            samples = samples.prepared(preparation)
            held_out = None if held_out is None else held_out.prepared(preparation)
            if interrupted is None:
                self._publish(training, targets)
                self.initial_components_ = self.components_
            training = trainer.with_schedule(training, samples, learning_rate)
            self._publish(training, targets)
            while not trainer.is_done(training):
                epochs.begin()
                training = trainer.epoch(training, samples, held_out)
                self._publish(training, targets)
                if epochs.end():
                    break
            self._publish(trainer.finish(training), targets)
        epochs.close()
        return self

    def partial_fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> Self:
        """Continue learning with one pass over further samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

        Returns
        -------
        object
            The estimator itself.

        Raises
        ------
        ValueError
            As for `fit`.
        """
        return self._partial_fit(X, y, sample_weight)

    def _partial_fit(self, X, y, sample_weight, **options):
        """Learn from one pass over further samples; `options` are passed to `_read_targets`."""
        with restore_on_error(self), one_blas_thread():
            first = not hasattr(self, "_training")
            samples, targets = self._read_samples(X, y, sample_weight, reset=first, **options)
            check_training(self)
            if self.learning_rate == "mairal":
                raise ValueError(
                    "learning_rate='mairal' depends on the total number of steps: partial_fit "
                    "requires 'auto' or a number."
                )
            rng, samples = as_generator(self.random_state), samples.with_positive_weight()
            if first:
                targets.warn_of_first(samples.labels)
                state, settings = initial_state_and_settings(
                    self, samples, targets, rng, stream=True
                )
                training = Training(state, settings, {})
                self.initial_components_ = split_atoms(state.dictionary, settings)["dictionary"]
            else:
                training = replace(self._training, settings=continued_settings(self, targets))
            learning_rate = self.learning_rate
            if learning_rate == "auto":
                learning_rate = AUTO_RATES[0] if first else self._warm_learning_rate()
            training = replace(training, rng_state=rng.bit_generator.state)
            samples = samples.prepared(training.settings.preparation)
            training = make_trainer(self, targets).one_pass(training, samples, learning_rate)
            self._publish(training, targets)
        return self

    def fit_head(self, X: Array, y: Array, sample_weight: Array | None = None) -> Self:
        r"""Fit the optimal head on the codes over the current dictionary.

        .. math:: \min_{W, b} \; \frac1n \sum_i \ell(y_i, W w(x_i) + b) + \frac{\nu}{2} \|W\|^2

        `fit` ends near this optimum, but not after early stopping, for other samples, or with
        another `nu` or `label_smoothing`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals; all their codes are kept in memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets; classes are those of `fit`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss.

        Returns
        -------
        object
            The estimator itself.

        References
        ----------
        T. Moreau, J. Audiffren, "Post training in deep learning with last kernel", 2016.
        """
        check_is_fitted(self)
        with restore_on_error(self), one_blas_thread():
            samples, targets = self._read_samples(X, y, sample_weight, reset=False)
            check_training(self)
            settings = continued_settings(self, targets)
            samples = samples.with_positive_weight().prepared(settings.preparation)
            state = refit_head(self._training.state, samples, settings)
            training = replace(self._training.ended(), state=state, settings=settings)
            self._publish(training, targets)
        return self

    def _read_samples(self, X, y, sample_weight, *, reset, **options):
        """Check the data; return samples, with weight zero for unlabelled ones, and targets."""
        X = self._signals(X, reset=reset, learns=True)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        check_plain(sample_weight, "sample_weight")
        targets, labels, labelled = self._read_targets(y, reset=reset, **options)
        check_rows(labels, X)
        weight = _check_sample_weight(
            None if sample_weight is None else to_numpy(sample_weight),
            np.empty((X.shape[0], 1)),
            dtype=np.float64,
            ensure_non_negative=True,
        )
        weight = targets.with_class_weight(weight * labelled, labels, self.class_weight)
        if not weight.sum() > 0:
            raise ValueError(
                "sample_weight must be above zero for at least one labelled sample, got none."
            )
        if reset:
            targets = targets.fit_scale(labels, weight)
        samples = Samples(
            X,
            labels,
            weight,
            targets.label_encoder(),
            batch_size=self.batch_size,
            augment=self.augment,
            pool=X if self._uses_unlabelled() and not weight.all() else None,
        )
        check_loss_shapes(targets.loss, samples.batch(np.flatnonzero(weight)[:2]).target)
        return samples, targets

    def _read_targets(self, y, *, reset):
        """Targets, labels as an array (n_samples, n_columns), and a mask of labelled samples.

        Targets are new if `reset`, else those of the last fit.
        """
        raise NotImplementedError

    def _uses_unlabelled(self):
        """Whether there is a reconstruction term, which uses samples without a label."""
        return callable(self.mu) or not np.array_equal(self.mu, 0)

    def _interrupted_training(self):
        """Interrupted training, which a warm start resumes, or None."""
        training = getattr(self, "_training", None) if self.warm_start else None
        return training if training is not None and not training.finished else None

    def _warm_learning_rate(self):
        """Learning rate of a warm start with "auto", which no trial can choose; else None."""
        if self.learning_rate != "auto":
            return None
        known = self._training.learning_rate is not None and self._training.settings.adaptive
        return self._training.learning_rate if known else AUTO_RATES[0]

    def _prior_by_name(self, name):
        """Prior object for a name.

        An elastic net has a ridge, for bounded gradients, and nonnegative codes: signed codes of x
        and -x differ in sign only, so that a linear head cannot use their magnitude. "auto" is KL
        for the softmax, whose codes are directions of log-probabilities.
        """
        name = {"auto": "elastic_net" if self.transfer == "linear" else "kl"}.get(name, name)
        prior = as_prior(name)
        if name == "elastic_net":
            prior.set_params(lam2=_DEFAULT_LAM2, positive=not self.split_sign)
        return prior

    @atomic_update
    def _publish(self, training, targets):
        """Set the public attributes from a training."""
        publish(self, training, targets)

    def _current_settings(self):
        """Settings of the last fit, with the current parameters of coding."""
        reconstruction = as_reconstruction(self.transfer)
        return replace(
            self._training.settings,
            reconstruction=reconstruction,
            prior=self.prior_,
            solver=self._check_solver(reconstruction, self.prior_),
            n_jobs=self.n_jobs,
        )

    def _compute_codes(self, X):
        """Codes of checked signals."""
        check_parameters(self, self._running)
        X, settings = self._prepared(X), self._current_settings()
        return coding_layer.encode(parameters_like(self, X.like), X, settings).code

    def _head_scores(self, X):
        """Scores of signals, in their array library."""
        return predict_scores(*self._head_arguments(X))

    def _head_arguments(self, X):
        """Parameters, signals as they are coded, and settings: what scores are computed from."""
        check_is_fitted(self)
        X = self._signals(X, reset=False)
        check_parameters(self, self._running)
        X, settings = self._prepared(X), self._current_settings()
        return parameters_like(self, X.like), X, settings

    def _refuse_missing(self, X):
        """Raise if entries are missing, and not only codes see the signals."""
        refuse_missing(self._training, X)

    def _prepared(self, X):
        """Checked signals as they are coded."""
        return prepared(X, self._training.settings.preparation)

    def _reconstruct(self, code):
        parameters = parameters_like(self, self.components_)
        return reconstruct(code, parameters, self._current_settings())
