"""What the supervised regressor and classifier share: parameters, fitting, prediction."""

from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._array import astype_like, namespace, take_rows, to_numpy
from .._threads import computing, slices
from .._typing import Array
from .._validation import check_plain
from ..optim import schedules
from ..reconstruction import as_reconstruction
from ..supervised import coding_layer, passes
from ..supervised.data import merge_repeated, weighted_rows
from ..supervised.head_fit import last_head
from ..supervised.step import features_of
from ._base import all_or_nothing, generator
from ._callbacks import CallbackSupportMixin, Epochs, with_callbacks
from ._parameters import TrainingParameters
from ._rates import RATES, generator_at
from ._training import PUBLISHED

_ROWS_AT_ONCE = 4096  # codes that a head turns into scores at a time


class SupervisedDictionaryEstimator(CallbackSupportMixin, TrainingParameters):
    """Dictionary and linear head learned together; subclasses say what targets and losses are."""

    components_: Array  # published under the names of PUBLISHED, those that a fit has
    coef_: Array
    intercept_: Array

    # a subclass defines _labels(y, reset), _targets(labels), _loss(), _strata(labels), _score(...)

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
        n_epochs = self.max_iter
        run = getattr(self, "_run", None) if self.warm_start else None
        if run is not None:
            n_epochs = run.n_epochs - self.n_iter_
        epochs = Epochs(self, n_epochs, X, y)
        with all_or_nothing(self), computing():
            warm = self.warm_start and hasattr(self, "_state")
            X = self._signals(X, reset=not warm)
            labels, weight = self._samples(X, y, sample_weight, reset=not warm)
            rng = generator(self.random_state) if run is None else generator_at(run.generator)
            first = rng.bit_generator.state
            self._check_training()
            pool = self._pool(X, weight)
            samples = weighted_rows(X, labels, weight)
            X, labels, weight = merge_repeated(*samples)
            held_out = None
            if self.early_stopping:
                X, labels, weight, held_out = self._hold_out(X, labels, weight, rng)
            samples = X, labels, weight, pool
            if run is not None:
                self._settings(labels)  # raises where a parameter does not fit the first fit
                self._go_on(samples, generator_at(run.generator_now), held_out, epochs)
            elif warm:
                state, settings = self._restart(), self._settings(labels)
                rate = self._kept_rate()
                self._train(samples, state, settings, rng, first, held_out, epochs, rate)
            else:
                state, settings = self._start(X, labels, weight, rng, pool)
                self._train(samples, state, settings, rng, first, held_out, epochs)
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
        with all_or_nothing(self), computing():
            first = not hasattr(self, "_state")
            X = self._signals(X, reset=first)
            labels, weight = self._samples(X, y, sample_weight, reset=first)
            self._check_training()
            if self.learning_rate == "mairal":
                raise ValueError(
                    "learning_rate='mairal' needs to know how long learning will last: "
                    "partial_fit takes 'auto' or a number."
                )
            pool = self._pool(X, weight)
            X, labels, weight = weighted_rows(X, labels, weight)
            rng = generator(self.random_state)
            if first:
                state, settings = self._start(X, labels, weight, rng, pool, stream=True)
                self.initial_components_ = state.dictionary
                losses = []
            else:
                state, settings = self._state, self._settings(labels)
                losses = list(self.loss_curve_)
            if self.learning_rate != "auto":
                self.learning_rate_ = self.learning_rate
            else:
                self.learning_rate_ = RATES[0] if first else self._kept_rate()
            data = self._passes(X, labels, weight, pool)
            mu = schedules.Mix(self.mu).at(0, 1)
            state, report = passes.learn_labelled(
                state, data, settings, self._stream().rates, rng, mu
            )
            passes.check_convergent(report, self.learning_rate_)
            settings = self._steadied(settings, report)
            self._publish(state, settings, ([*losses, report.loss], []), None)
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
        with all_or_nothing(self), computing():
            X = self._signals(X, reset=False)
            labels, weight = self._samples(X, y, sample_weight, reset=False)
            self._check_training()
            X, labels, weight = weighted_rows(X, labels, weight)
            settings, data = self._settings(labels), self._passes(X, labels, weight)
            state = last_head(self._state, data, settings)
            self._publish(state, settings, (self.loss_curve_, self.validation_scores_), None)
        return self

    def _reconstructed(self, code, dictionary):
        """Signals for codes: means over the dictionaries, least squares behind a projection."""
        n, blocks = dictionary.shape[0], self._learned_with.n_blocks
        parts = [
            super(SupervisedDictionaryEstimator, self)._reconstructed(
                code[:, part], dictionary[part, :]
            )
            for part in slices(n, n // blocks)
        ]
        signals = parts[0] if blocks == 1 else sum(parts) / blocks
        if self.n_projected is not None:
            xp = namespace(signals)
            signals = signals @ xp.linalg.pinv(astype_like(self.projection_, signals)).T
        return signals

    def _coded(self, X):
        """Codes of checked signals."""
        self._check_running()
        return coding_layer.encoded(self._fitted(X), X, self._running()).code

    def _running(self):
        """Settings of the fit, with the parameters that may have changed since."""
        reconstruction = as_reconstruction(self.transfer)
        return replace(
            self._learned_with,
            reconstruction=reconstruction,
            prior=self.prior_,
            solver=self._solver(reconstruction, self.prior_),
            n_jobs=self.n_jobs,
        )

    def _fitted(self, like):
        """What the fit has learned, by name, in the units of the data."""
        return {
            name: astype_like(getattr(self, attribute), like)
            for name, attribute in PUBLISHED.items()
            if hasattr(self, attribute)
        }

    def _head_scores(self, X):
        check_is_fitted(self)
        X = self._signals(X, reset=False)
        self._check_running()
        return self._scores(X, self._fitted(X), self._running())

    def _scores(self, X, parameters, settings):
        """Scores of a head in the units of the data."""
        code, head = coding_layer.encoded(parameters, X, settings).code, settings.head
        features = features_of(code, settings.prior, settings.split_sign)
        parameters = parameters | {"intercept": parameters["intercept"][:, None]}
        parts = [
            head.scores(parameters, features[rows, :], X[rows, :] if head.sees_signals else None)
            for rows in slices(X.shape[0], _ROWS_AT_ONCE)
        ]
        return namespace(features).concat(parts, axis=0)

    def _samples(self, X, y, sample_weight, *, reset):
        """Targets as a NumPy array (n_samples, columns), and weights, zero where unused."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        check_plain(y, "y")
        check_plain(sample_weight, "sample_weight")
        labels, labelled = self._labels(to_numpy(y), reset=reset)
        if labels.shape[0] != X.shape[0]:
            raise ValueError(
                f"y must have one row per row of X: got {labels.shape[0]} rows of y for "
                f"{X.shape[0]} of X."
            )
        plain = np.empty((X.shape[0], 1))
        weight = _check_sample_weight(
            None if sample_weight is None else to_numpy(sample_weight),
            plain,
            dtype=np.float64,
            ensure_non_negative=True,
        )
        weight = self._class_weighted(weight * labelled, labels)
        if not weight.sum() > 0:
            raise ValueError(
                "sample_weight must be above zero for at least one labelled sample, got none."
            )
        if reset:
            self._learn_targets(labels, weight)
        return labels, weight

    def _class_weighted(self, weight, labels):
        return weight

    def _learn_targets(self, labels, weight):
        """Keep what maps targets to those of the loss, where there is anything to keep."""

    def _n_outputs(self, labels):
        """Number of scores that the loss asks for."""
        return self._targets(labels)(np.arange(1)).shape[1]

    def _pool(self, X, weight):
        """Signals of the reconstruction term, if they are others than the labelled ones."""
        return X if self._mixes() and not weight.all() else None

    def _hold_out(self, X, labels, weight, rng):
        """Samples split into training and validation parts, by class where there are classes."""
        seed = int(rng.integers(2**31))
        rows = np.arange(X.shape[0])
        try:
            train, test = train_test_split(
                rows,
                test_size=self.validation_fraction,
                random_state=seed,
                stratify=self._strata(labels),
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping=True needs samples to hold out: validation_fraction="
                f"{self.validation_fraction} of {len(rows)} samples cannot be split ({error})."
            ) from error
        held_out = take_rows(X, test), labels[test], weight[test]
        return take_rows(X, train), labels[train], weight[train], held_out
