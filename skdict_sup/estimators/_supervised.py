"""What the supervised regressor and classifier share: fitting, and scores of the head."""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._array import astype_like, to_numpy
from .._threads import one_blas_thread
from .._typing import Array
from .._validation import check_plain
from ..priors import as_prior
from ..reconstruction import as_reconstruction
from ..supervised import coding_layer
from ..supervised.data import Samples
from ..supervised.head_fit import last_head
from ..supervised.prediction import in_data_units, scores_of, signals_of
from ..supervised.rate_search import RATES
from ..supervised.step import start
from ..supervised.trainer import Training
from ._callbacks import CallbackSupportMixin, Epochs, with_callbacks
from ._coding import CodingEstimator
from ._fitting import as_generator, generator_from_state, in_one_step, restore_on_error
from ._parameters import SUPERVISED, check_parameters
from ._targets import check_rows
from ._training import (
    check_training,
    continued_settings,
    first_state_of,
    hold_out,
    trainer_of,
)

_STEADY_LAM2 = 0.1  # of prior="elastic_net": codes move less where atoms are alike
PUBLISHED = {  # names of parameters, and of the attributes that users see
    "dictionary": "components_",
    "projection": "projection_",
    "coef": "coef_",
    "intercept": "intercept_",
    "linear": "linear_coef_",
}


class SupervisedDictionaryEstimator(CallbackSupportMixin, CodingEstimator):
    """Dictionary and linear head learned together; a subclass says what its targets are.

    It has its parameters, `_read_targets`, and `predict`.
    """

    _learning: ClassVar = SUPERVISED  # rules of the parameters that training reads

    # those of the parameters that are read here
    mu: Any
    n_projected: int | None
    learning_rate: float | str
    batch_size: int | str
    max_iter: int
    augment: Any
    warm_start: bool
    random_state: Any
    multi_class = "shared"  # all atoms in one code; "ovr": a dictionary for each output
    class_weight: Any = None

    coef_: Array  # published under the names of PUBLISHED, those that a fit has
    intercept_: Array
    projection_: Array
    learning_rate_: float
    loss_curve_: list
    _training: Training
    _targets: Any

    @with_callbacks
    def fit(self, X, y, sample_weight=None):
        """Learn dictionary and head.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weight of each sample in the loss; a sample of weight two counts as two samples.

        Returns
        -------
        object
            The estimator itself. After an interrupt it holds the state of the last complete epoch:
            ``warm_start=True`` and the same data then give what the whole fit would have given.

        Raises
        ------
        ValueError
            If a parameter or the data are out of range, or the loss leaves the finite numbers, as
            it may for a large `learning_rate`. The estimator is then as it was before.
        """
        unfinished = self._unfinished()
        n_epochs = self.max_iter if unfinished is None else unfinished.n_left
        epochs = Epochs(self, n_epochs, X, y)
        with restore_on_error(self), one_blas_thread():
            warm = self.warm_start and hasattr(self, "_training")
            samples, targets = self._read(X, y, sample_weight, reset=not warm)
            check_training(self)
            trainer, rng = trainer_of(self, targets), as_generator(self.random_state)
            if unfinished is not None:
                rng = generator_from_state(unfinished.generator_at_start)
            begin = {"generator_at_start": rng.bit_generator.state, "n_epochs": self.max_iter}
            samples, held_out = hold_out(self, samples.used().merged(), targets, rng)
            rate = None
            if unfinished is not None:
                continued_settings(
                    self, targets
                )  # raises where a parameter does not fit the first fit
                training = unfinished
            elif warm:  # the schedule begins again, and with it the moments
                state, rate = start(self._training.state.parameters), self._kept_rate()
                now = rng.bit_generator.state
                training = Training(state, continued_settings(self, targets), now, **begin)
            else:
                state, settings = first_state_of(self, samples, targets, rng)
                training = Training(state, settings, rng.bit_generator.state, **begin)
            if unfinished is None:
                self.initial_components_ = training.state.dictionary
                self._publish(training, targets)
            training = trainer.with_schedule(training, samples, rate)
            while not trainer.is_done(training):
                epochs.begin()
                training = trainer.epoch(training, samples, held_out)
                self._publish(training, targets)
                if epochs.end():
                    break
            self._publish(trainer.finished(training), targets)
        epochs.close()
        return self

    def partial_fit(self, X, y, sample_weight=None):
        """Go on learning with one pass over further samples.

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
        return self._learn_part(X, y, sample_weight)

    def _learn_part(self, X, y, sample_weight, **known):
        """One pass over further samples, all or nothing; `known` is told of the targets."""
        with restore_on_error(self), one_blas_thread():
            first = not hasattr(self, "_training")
            samples, targets = self._read(X, y, sample_weight, reset=first, **known)
            check_training(self)
            if self.learning_rate == "mairal":
                raise ValueError(
                    "learning_rate='mairal' needs to know how long learning will last: "
                    "partial_fit takes 'auto' or a number."
                )
            rng, samples = as_generator(self.random_state), samples.used()
            if first:
                state, settings = first_state_of(self, samples, targets, rng, stream=True)
                training = Training(state, settings, {})
                self.initial_components_ = state.dictionary
            else:
                training = replace(self._training, settings=continued_settings(self, targets))
            rate = self.learning_rate
            if rate == "auto":
                rate = RATES[0] if first else self._kept_rate()
            training = replace(training, generator=rng.bit_generator.state)
            training = trainer_of(self, targets).one_pass(training, samples, rate)
            self._publish(training, targets)
        return self

    def fit_head(self, X, y, sample_weight=None):
        r"""Fit the head alone, to its optimum on the codes of the dictionary as it is.

        .. math:: \min_{W, b} \; \frac1n \sum_i \ell(y_i, W w(x_i) + b) + \frac{\nu}{2} \|W\|^2

        Learning ends near this optimum, or not so near: after an early stop, for samples other
        than those of the dictionary, or with another `nu` or `label_smoothing`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Signals; their codes are held in memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets, of classes that `fit` has seen.
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
            samples, targets = self._read(X, y, sample_weight, reset=False)
            check_training(self)
            settings = continued_settings(self, targets)
            state = last_head(self._training.state, samples.used(), settings)
            training = replace(self._training, state=state, settings=settings, best_score=None)
            self._publish(replace(training, finished=True), targets)
        return self

    # samples

    def _read(self, X, y, sample_weight, *, reset, **known):
        """Checked samples, with weight zero for those without a label, and their targets."""
        X = self._signals(X, reset=reset)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        check_plain(sample_weight, "sample_weight")
        targets, labels, labelled = self._read_targets(y, reset=reset, **known)
        check_rows(labels, X)
        weight = _check_sample_weight(
            None if sample_weight is None else to_numpy(sample_weight),
            np.empty((X.shape[0], 1)),
            dtype=np.float64,
            ensure_non_negative=True,
        )
        weight = targets.weighted(weight * labelled, labels, self.class_weight)
        if not weight.sum() > 0:
            raise ValueError(
                "sample_weight must be above zero for at least one labelled sample, got none."
            )
        if reset:
            targets = targets.scaled_to(labels, weight)
        samples = Samples(
            X,
            labels,
            weight,
            targets.encoder(),
            batch_size=self.batch_size,
            augment=self.augment,
            pool=X if self._uses_unlabelled() and not weight.all() else None,
        )
        return samples, targets

    def _read_targets(self, y, *, reset):
        """Targets, labels as their array (n_samples, columns), and which samples have one.

        Targets are new ones where `reset`, else those of the fit.
        """
        raise NotImplementedError

    def _uses_unlabelled(self):
        """Whether there is a reconstruction term, and so a use for samples without a label."""
        return callable(self.mu) or not np.array_equal(self.mu, 0)

    # where a training goes on

    def _unfinished(self):
        """Training that was interrupted, and that a warm start goes on with."""
        training = getattr(self, "_training", None)
        goes_on = self.warm_start and training is not None and not training.finished
        return training if goes_on else None

    def _kept_rate(self):
        """Step size of a warm start: nothing can be left out of what its state has seen."""
        if self.learning_rate != "auto":
            return None
        return self.learning_rate_ if self._training.settings.adaptive else RATES[0]

    def _named_prior(self, name):
        """Prior that a name stands for.

        It has a ridge, for steady gradients, and codes w >= 0: signed codes of x and -x are mirror
        images, which no linear head tells apart by their size.
        """
        prior = as_prior(name)
        if name == "elastic_net":
            prior.set_params(lam2=_STEADY_LAM2, positive=not self.split_sign)
        return prior

    # what a training has come to

    @in_one_step
    def _publish(self, training, targets):
        """Attributes that users see, from a training."""
        learned = in_data_units(training.state, training.settings, targets)
        for name, attribute in PUBLISHED.items():
            vars(self).pop(attribute, None)
            if name in learned:
                setattr(self, attribute, learned[name])
        settings = training.settings
        self.prior_ = settings.prior
        self.nu_ = settings.nu * settings.code_scale**2
        self.loss_curve_, self.validation_scores_ = list(training.losses), list(training.scores)
        self.n_iter_ = len(self.loss_curve_)
        if training.rate is not None:
            self.learning_rate_ = training.rate
        vars(self).pop("best_validation_score_", None)  # that of an earlier fit
        if training.best_score is not None:
            self.best_validation_score_ = training.best_score
        vars(self).update(targets.published())
        self._training, self._targets = training, targets

    def _learned(self, like):
        """What the fit has learned, by name, in the units of the data."""
        return {
            name: astype_like(getattr(self, attribute), like)
            for name, attribute in PUBLISHED.items()
            if hasattr(self, attribute)
        }

    def _settings_now(self):
        """Settings of the fit, with the parameters of coding that may have changed since."""
        reconstruction = as_reconstruction(self.transfer)
        return replace(
            self._training.settings,
            reconstruction=reconstruction,
            prior=self.prior_,
            solver=self._solver(reconstruction, self.prior_),
            n_jobs=self.n_jobs,
        )

    def _coded(self, X):
        """Codes of checked signals."""
        check_parameters(self, self._running)
        return coding_layer.encoded(self._learned(X.like), X, self._settings_now()).code

    def _head_scores(self, X):
        """Scores of signals, in their array library."""
        check_is_fitted(self)
        X = self._signals(X, reset=False)
        check_parameters(self, self._running)
        return scores_of(self._learned(X.like), X, self._settings_now())

    def _reconstructed(self, code):
        return signals_of(code, self._learned(code), self._settings_now())
