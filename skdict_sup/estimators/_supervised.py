"""What the supervised regressor and classifier share: parameters, training, prediction."""

import time
from dataclasses import replace

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .._array import astype_like, namespace, take_rows, to_numpy
from .._threads import one_blas_thread
from .._validation import check_option, check_scalar
from ..dictionary import online, supervised, training
from ..problem import resolve_prior
from ._base import CodingEstimator, all_or_nothing, generator

RATE, HEAD_SHARE = 0.16, 0.125  # learning_rate="auto": an atom's step, and the head's part of it
STEADY_LAM2 = 0.1  # of prior="elastic_net": codes move less where atoms are alike


class SupervisedDictionaryEstimator(CodingEstimator):
    """Dictionary and linear head learned together; subclasses say what targets and losses are."""

    def __init__(
        self,
        n_components=100,
        *,
        prior="elastic_net",
        transfer="linear",
        loss="auto",
        nu="auto",
        init="data",
        init_max_iter="auto",
        learning_rate="auto",
        batch_size="auto",
        max_iter=30,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        augment=None,
        positive_dictionary=False,
        warm_start=False,
        solver="auto",
        split_sign=False,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.prior = prior
        self.transfer = transfer
        self.loss = loss
        self.nu = nu
        self.init = init
        self.init_max_iter = init_max_iter
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.augment = augment
        self.positive_dictionary = positive_dictionary
        self.warm_start = warm_start
        self.solver = solver
        self.split_sign = split_sign
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    # a subclass defines _labels(y, reset), _targets(labels), _loss(), _strata(labels), _score(...)

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
            The estimator itself. After an interrupt it holds the state of the last complete epoch,
            from which ``warm_start=True`` and partial_fit go on.
        """
        with all_or_nothing(self), one_blas_thread():
            warm = self.warm_start and hasattr(self, "_state")
            X = self._signals(X, reset=not warm)
            labels, weight = self._samples(X, y, sample_weight, reset=not warm)
            rng = generator(self.random_state)
            self._check_training()
            samples = training.weighted_rows(X, labels, weight)
            X, labels, weight = training.merge_repeated(*samples)
            held_out = None
            if self.early_stopping:
                X, labels, weight, held_out = self._hold_out(X, labels, weight, rng)
            if warm:
                state, settings = self._restart(), self._settings(labels)
            else:
                state, settings = self._start(X, labels, weight, rng)
            self._train(X, labels, weight, state, settings, rng, held_out)
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
        """
        with all_or_nothing(self), one_blas_thread():
            first = not hasattr(self, "_state")
            X = self._signals(X, reset=first)
            labels, weight = self._samples(X, y, sample_weight, reset=first)
            self._check_training()
            X, labels, weight = training.weighted_rows(X, labels, weight)
            rng = generator(self.random_state)
            if first:
                state, settings = self._start(X, labels, weight, rng)
                self.initial_components_ = state.dictionary
                losses = []
            else:
                state, settings = self._state, self._settings(labels)
                losses = list(self.loss_curve_)
            rate, head_rate = self._rates()

            def rates_of(done):
                fall = (1 + done / 1000) ** -0.5
                return rate * fall, head_rate * fall

            state, loss, _ = training.learn_labelled(
                state, self._passes(X, labels, weight), settings, rates_of, rng
            )
            self._publish(state, settings, ([*losses, loss], []))
        return self

    def _head_scores(self, X):
        check_is_fitted(self)
        return self._scores(self._signals(X, reset=False))

    def _scores(self, X):
        features = self._features(self._encode(X).code)
        scores = features @ astype_like(self.coef_, features).T
        return scores + astype_like(self.intercept_, features)[None, :]

    def _samples(self, X, y, sample_weight, *, reset):
        """Targets as a NumPy array (n_samples, columns), and weights, zero where unused."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        labels = self._labels(to_numpy(y), reset=reset)
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
        weight = self._class_weighted(weight, labels)
        if not weight.sum() > 0:
            raise ValueError("sample_weight must be above zero for at least one sample, got none.")
        if reset:
            self._learn_targets(labels, weight)
        return labels, weight

    def _class_weighted(self, weight, labels):
        return weight

    def _learn_targets(self, labels, weight):
        """Keep what maps targets to those of the loss, where there is anything to keep."""

    def _check_training(self):
        """Raise unless every parameter of the training is in range."""
        self._check_learning()
        self._check_switches("early_stopping", "warm_start")
        self._terms()
        self._check_number_or_auto("nu", low=0.0)
        self._check_number_or_auto("learning_rate", low=0.0, strict=True)
        self._check_number_or_auto("batch_size", low=1, integer=True)
        self._check_number_or_auto("init_max_iter", low=0, integer=True)
        check_scalar(
            self.validation_fraction, "validation_fraction", low=0.0, high=1.0, strict=True
        )
        check_scalar(self.n_iter_no_change, "n_iter_no_change", low=1, integer=True)
        if self.augment is not None and not callable(self.augment):
            raise TypeError(f"augment must be a callable or None, got {self.augment!r}.")

    def _check_number_or_auto(self, name, **bounds):
        value = getattr(self, name)
        if isinstance(value, str):
            check_option(value, name, {"auto"})
        else:
            check_scalar(value, name, also="or 'auto'", **bounds)

    def _n_outputs(self, labels):
        """Number of scores that the loss asks for."""
        return self._targets(labels)(np.arange(1)).shape[1]

    def _passes(self, X, labels, weight):
        """Samples as training draws them."""
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = int(min(256, max(32, X.shape[0] // 40)))
        return training.Samples(X, self._targets(labels), weight, batch_size, self.augment)

    def _rates(self):
        rate = RATE if self.learning_rate == "auto" else self.learning_rate
        return rate, HEAD_SHARE * rate

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

    def _terms(self):
        """Checked terms; the prior's name stands for one with a ridge, for steady gradients."""
        reconstruction, prior, solver = super()._terms()
        if isinstance(self.prior, str) and self.prior == "elastic_net":
            prior.set_params(lam2=STEADY_LAM2)
        return reconstruction, prior, solver

    def _start(self, X, labels, weight, rng):
        """Settings, and a state: a dictionary learned without labels, a head trained on it."""
        reconstruction, prior, solver = self._terms()
        dictionary = self._first_atoms(X, rng)
        prior = resolve_prior(prior, X, dictionary)
        n_epochs = self.init_max_iter
        if n_epochs == "auto":
            given = not isinstance(self.init, str)
            n_epochs = 0 if given else int(min(20, max(1, -(-30_000 // X.shape[0]))))
        without = online.OnlineSettings(
            reconstruction, prior, solver, 256, 2.0, self.positive_dictionary, self.n_jobs
        )
        learner = training.learner_of(reconstruction)
        passes = training.learn_unlabelled(X, learner.start(dictionary), without, n_epochs, rng)
        for number, (learned, objective) in enumerate(passes, start=1):
            dictionary = learner.published(learned, without)
            if self.verbose > 1:
                print(f"init {number}/{n_epochs}: objective {objective:.6g}", flush=True)
        head = supervised.zero_head(dictionary, self._n_outputs(labels), self.split_sign)
        state = supervised.start(dictionary, *head)
        settings = supervised.SupervisedSettings(
            reconstruction,
            prior,
            solver,
            self._loss(),
            0.0,
            1.0,
            self.positive_dictionary,
            self.split_sign,
            self.n_jobs,
        )
        _, head_rate = self._rates()
        data = self._passes(X, labels, weight)
        settings = training.scale_settings(settings, dictionary, data, rng, self.nu)
        state = training.first_head(state, data, settings, head_rate, rng)
        return state, settings

    def _restart(self):
        """State of a fitted estimator, with fresh moments: the schedule begins again."""
        state = self._state
        return supervised.start(state.dictionary, state.coef, state.intercept)

    def _settings(self, labels):
        """Settings of a fitted estimator, with the parameters that may have changed since."""
        reconstruction, prior, solver = self._terms()
        learned = self._learned_with
        n_components = self._state.dictionary.shape[0]
        if self.n_components != n_components:
            raise ValueError(
                f"n_components must be {n_components} to go on learning, as in the first fit; got "
                f"{self.n_components}."
            )
        before = self._state.coef.shape[0]
        if self.split_sign != learned.split_sign:
            raise ValueError(
                f"split_sign must be {learned.split_sign} to go on learning, as in the first fit; "
                f"got {self.split_sign}."
            )
        n_outputs = self._n_outputs(labels)
        if n_outputs != before:
            raise ValueError(
                f"loss must have {before} output(s) to go on learning, as in the first fit; got "
                f"{self.loss!r}, which has {n_outputs}."
            )
        automatic = isinstance(getattr(prior, "lam", None), str)
        return replace(
            learned,
            reconstruction=reconstruction,
            prior=learned.prior if automatic else prior,
            solver=solver,
            loss=self._loss(),
            nu=learned.nu if self.nu == "auto" else self.nu / learned.code_scale**2,
            positive_dictionary=self.positive_dictionary,
            n_jobs=self.n_jobs,
        )

    def _train(self, X, labels, weight, state, settings, rng, held_out):
        """Epochs of supervised steps, published one by one; the best kept if some are held out."""
        data = self._passes(X, labels, weight)
        n_steps = self.max_iter * max(1, round(X.shape[0] / data.batch_size))
        schedule = training.Schedule(*self._rates(), n_steps)
        best, waited, begin = None, 0, time.perf_counter()
        losses, scores = curves = [], []
        self.initial_components_ = state.dictionary
        self._publish(state, settings, curves)
        for epoch in range(1, self.max_iter + 1):
            state, loss, n_nonzero = training.learn_labelled(
                state, data, settings, schedule.rates, rng
            )
            losses.append(loss)
            self._publish(state, settings, curves)
            line = f"epoch {epoch}/{self.max_iter}: loss {loss:.6g}, {n_nonzero:.1f} nonzeros"
            if held_out is not None:
                scores.append(self._held_out_score(*held_out))
                self._publish(state, settings, curves)
                line += f", validation score {scores[-1]:.4f}"
                waited = 0 if best is None or scores[-1] > best[0] + self.tol else waited + 1
                if best is None or scores[-1] > best[0]:
                    best = scores[-1], state
            if self.verbose:
                print(f"{line}, {time.perf_counter() - begin:.1f} s", flush=True)
            if waited >= self.n_iter_no_change:
                break
        if best is not None:
            self._publish(best[1], settings, curves)
            self.best_validation_score_ = best[0]

    def _held_out_score(self, X, labels, weight):
        return float(self._score(to_numpy(self._scores(X)), labels, weight))

    def _publish(self, state, settings, curves):
        """Attributes that users see, from a state."""
        xp = namespace(state.dictionary)
        self.components_ = state.dictionary
        self.coef_, self.intercept_ = self._in_units(
            state.coef / settings.code_scale, xp.reshape(state.intercept, (-1,))
        )
        self.prior_ = settings.prior
        self.nu_ = settings.nu * settings.code_scale**2
        self.loss_curve_, self.validation_scores_ = map(list, curves)
        self.n_iter_ = len(self.loss_curve_)
        vars(self).pop("best_validation_score_", None)  # that of an earlier fit
        self._learned_with, self._state = settings, state

    def _in_units(self, coef, intercept):
        """Head in the units of the targets."""
        return coef, intercept
