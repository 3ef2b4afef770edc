"""Set-up, training and inference of encoders, the base class of `LISTAEncoder`."""

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from .._array import astype_like, ignore_float_warnings, is_numpy, namespace
from .._atoms import Atoms
from .._threads import effective_n_jobs, map_threads, one_blas_thread, slices
from .._validation import ConvergenceWarning, warn
from ..dictionary.online import OnlineSettings
from ..dictionary.start import learn_initial_dictionary, resolved_prior
from ..encoders import ARCHITECTURES, LayerInput, costs, network, training
from ..execution import solve
from ..losses import CLASSIFICATION_LOSSES, Square
from ..optim import OPTIMIZERS, schedules
from ..priors import is_per_atom, is_plain_elastic_net, is_positive
from ..problem import Problem
from ..supervised.data import Samples, identity
from ..supervised.head_fit import fit_head_on_codes
from ..supervised.heads import LinearHead
from ..supervised.step import HeadSettings, code_scale_of
from ._built import cached_encoder
from ._coding import CodingEstimator
from ._fitting import as_generator, atomic_update
from ._labels import classes_of, read_classes, read_numbers
from ._parameters import (
    FROM_START,
    LEARNING,
    POSITIVE_INTEGER,
    RUNNING,
    Number,
    Option,
    Switch,
    check_parameters,
)
from ._targets import ClassTargets, RealTargets, check_rows

LOSSES = {"square": Square(), **CLASSIFICATION_LOSSES}
_MAX_AUTO_BATCH = 64  # larger batches leave weight on atoms that codes do not use
# learning rates for "auto", relative to the root mean square of each array of weights
_AUTO_LEARNING_RATES = {"adam": 0.03, "adadelta": 1.0}
_MAX_VALIDATION = 2000  # signals, at most, on which epochs are compared


class NetworkEstimator(CodingEstimator):
    """Estimator whose codes are computed by a network; a subclass defines the parameters."""

    dictionary: Any
    architecture: str
    n_layers: int
    target: str
    every_layer: bool
    loss: Any
    mu: Any
    safeguard: bool
    dictionary_update: bool | str
    n_components: int
    init: Any
    init_max_iter: int | str
    optimizer: str
    learning_rate: Any
    batch_size: int | str
    max_iter: int
    random_state: Any

    layers_: list
    loss_curve_: list
    _training: training.EncoderState
    _targets: Any

    transfer, split_sign, solver = "linear", False, "auto"  # what the network approximates

    _running: ClassVar = RUNNING | {"safeguard": Switch()}
    _learning: ClassVar = (
        _running
        | LEARNING
        | FROM_START
        | {
            "architecture": Option(ARCHITECTURES),
            "target": Option(("objective", "codes")),
            "n_layers": POSITIVE_INTEGER,
            "learning_rate": Number(low=0.0, strict=True, names=("auto",)),
            "optimizer": Option(OPTIMIZERS),
            "every_layer": Switch(),
            "dictionary_update": Switch(names=("tied",)),
        }
    )
    _with_loss: ClassVar = {
        "loss": Option(LOSSES),
        "mu": Number(low=0.0, high=1.0),
    }

    def _compute_codes(self, X, n_layers=None):
        """Codes of checked signals after `n_layers` layers, or all."""
        check_parameters(self, self._running)
        encoder = cached_encoder(self, self.layers_[:n_layers], X.like)
        dictionary = encoder.problem.dictionary
        parts = slices(X.shape[0], network.rows_at_once(dictionary))
        n_jobs = effective_n_jobs(self.n_jobs) if is_numpy(dictionary) else 1
        with one_blas_thread():
            codes = map_threads(lambda where: encoder(X.batch(where)), parts, n_jobs)
            return namespace(dictionary).concat(codes, axis=0)

    def _training_setup(self, X, y, warm):
        """Check parameters; return the set-up of a training, the initial head and samples."""
        self._check_parameters()
        rng, architecture = as_generator(self.random_state), ARCHITECTURES[self.architecture]
        reconstruction, prior, solver = self._check_terms()
        if warm:
            self._check_architecture(architecture)
            dictionary, prior = self.components_, self.prior_
        elif self.dictionary is None:
            dictionary, prior = learn_initial_dictionary(
                X,
                OnlineSettings(reconstruction, prior, solver, n_jobs=self.n_jobs),
                rng,
                init=self.init,
                n_components=self.n_components,
                n_epochs=self.init_max_iter,
                verbose=self.verbose > 1,
            )
        else:
            dictionary = self._check_dictionary(self.dictionary, X)
            prior = resolved_prior(prior, X, dictionary, reconstruction)
        problem = Problem(reconstruction, prior, Atoms(dictionary))
        validation_rows = rng.permutation(X.shape[0])[:_MAX_VALIDATION]
        validation_signals = X.batch(validation_rows)
        trained = self._training.layers[: self.n_layers] if warm else []
        inputs = LayerInput(problem, validation_signals)
        layers = architecture.extend(trained, inputs, self.n_layers)
        if self.dictionary_update == "tied":
            layers = [layer | {"signal": layers[0]["signal"]} for layer in layers]
        cost = costs.Objective()
        if self.target == "codes":
            cost = costs.Distance(solve(problem, X, solver, n_jobs=self.n_jobs).code)
        xp = namespace(validation_signals)
        sq_norms = xp.vecdot(validation_signals, validation_signals, axis=-1)
        mean_sq_norm = float(xp.mean(sq_norms)) or 1.0
        setup = training.TrainingSetup(
            architecture,
            reconstruction,
            prior,
            cost,
            mean_sq_norm,
            self.every_layer,
            self.dictionary_update,
            OPTIMIZERS[self.optimizer],
            dictionary,
            layers,
            validation_signals,
            validation_rows,
            rng,
        )
        if self.loss is None:
            self._targets = None
            return setup, {}, self._samples(X, np.zeros((X.shape[0], 1)))
        return self._with_head(setup, problem, X, y, warm)

    def _with_head(self, setup, problem, X, y, warm):
        """Set-up with a head, the initial head, and the samples with their labels."""
        targets, labels = self._read_targets(X, y, warm)
        samples = self._samples(X, labels, targets)
        validation_targets = samples.batch(setup.validation_rows).target
        if warm:
            settings, head = self._head_settings, self._training.head
        else:
            encoder = network.Encoder(setup.architecture, setup.layers, problem)
            code = encoder(setup.validation_signals)
            shape = targets.n_outputs, *problem.dictionary.shape
            zero_head = LinearHead().zero_parameters(problem.dictionary, *shape)
            scale = code_scale_of(code)
            settings = HeadSettings(targets.loss, nu=1 / code.shape[0], code_scale=scale)
            head = fit_head_on_codes(zero_head, code, validation_targets, settings)
            settings = replace(settings, nu=1 / X.shape[0])
        self._targets = targets
        options = {"validation_targets": validation_targets, "head_settings": settings}
        return replace(setup, mu=self.mu, **options), head, samples

    def _read_targets(self, X, y, fitted):
        """Targets, those of the last fit if `fitted`, and labels as an array."""
        if y is None:
            raise ValueError(
                f"loss={self.loss!r} requires y to be passed, but the target y is None."
            )
        check_parameters(self, self._with_loss)
        targets, loss = self._targets if fitted else None, LOSSES[self.loss]
        if fitted and (targets is None or targets.loss != loss):
            raise ValueError(
                f"loss must be that of the first fit to continue learning; got {self.loss!r}."
            )
        if self.loss == "square":
            labels, _, flat = read_numbers(y)
            check_rows(labels, X)
            spread = float(labels.std(axis=0).max()) or 1.0  # that of the widest output
            numbers = targets or RealTargets(loss, labels.mean(axis=0), spread, flat)
            numbers.check_columns(labels)
            return numbers, labels
        y, labelled = read_classes(y)
        classes = targets or ClassTargets(classes_of(y, labelled), loss)
        labels = classes.labels(y, labelled)
        check_rows(labels, X)
        return classes, labels

    def _train(self, samples, state, setup):
        """Train for all epochs, setting the attributes after each; keep the best epoch."""
        curve, best = [setup.validation_cost(state)], state
        self._publish(state, setup, curve)
        n_epochs = 0 if setup.architecture.fixed else self.max_iter
        n_steps = n_epochs * samples.steps_per_epoch()
        schedule = schedules.Cosine(self._initial_learning_rate(), 0.0, n_steps)
        for epoch in range(n_epochs):
            start_time = time.perf_counter()
            state = training.train_epoch(state, samples, setup, schedule.learning_rates, setup.rng)
            curve.append(setup.validation_cost(state))
            best = state if curve[-1] <= min(curve) else best
            self._publish(state, setup, curve)
            if self.verbose:
                seconds = time.perf_counter() - start_time
                line = f"epoch {epoch + 1}/{n_epochs}: cost {curve[-1]:.6g}, {seconds:.1f} s"
                print(line, flush=True)
        self._publish(best, setup, curve)
        if not np.isfinite(curve[-1]):
            warn(
                "the cost became infinite or NaN: the network is that of the best epoch, with a "
                f"cost of {np.nanmin(curve):.6g}; choose a smaller learning_rate, it was "
                f"{self._initial_learning_rate():g}.",
                ConvergenceWarning,
            )

    def _refit_head(self, X, y):
        """Fit the optimal head on the codes of checked signals."""
        targets, labels = self._read_targets(X, y, fitted=True)
        code = self._compute_codes(X)
        settings = replace(self._head_settings, nu=1 / X.shape[0])
        target = astype_like(targets.label_encoder()(labels), code)
        head = fit_head_on_codes(self._training.head, code, target, settings)
        self._replace_head(head, settings)

    @atomic_update
    def _replace_head(self, head, settings):
        """Set a new head, and the attributes that depend on it."""
        self._training = replace(self._training, head=head)
        self._publish_head(head, settings)

    @ignore_float_warnings()
    def _head_scores(self, code):
        """Scores of the head, (n_samples, n_outputs), in the units of its loss."""
        head = {name: astype_like(array, code) for name, array in self._training.head.items()}
        scaled = code / self._head_settings.code_scale
        return scaled @ head["coef"].T + head["intercept"][:, 0][None, :]

    def _samples(self, X, labels, targets=None):
        """Samples with unit weights, drawn in mini-batches."""
        label_encoder = identity if targets is None else targets.label_encoder()
        ones, batch_size = np.ones(X.shape[0]), self.batch_size
        return Samples(X, labels, ones, label_encoder, batch_size, max_auto_batch=_MAX_AUTO_BATCH)

    def _initial_learning_rate(self):
        """Initial learning rate, with "auto" resolved."""
        is_auto = self.learning_rate == "auto"
        return _AUTO_LEARNING_RATES[self.optimizer] if is_auto else self.learning_rate

    @atomic_update
    def _publish(self, state, setup, curve):
        """Set the public attributes from the state of a training."""
        self.components_, self.layers_ = state.dictionary, state.layers
        self.prior_, self.loss_curve_ = setup.prior, list(curve)
        self.n_iter_ = max(1, len(curve) - 1)
        self._training, self._architecture = state, setup.architecture
        for name in ("classes_", "coef_", "intercept_"):
            vars(self).pop(name, None)
        self._head_settings = setup.head_settings
        if setup.head_settings is not None:
            self._publish_head(state.head, setup.head_settings)

    def _publish_head(self, head, settings):
        """Set the public attributes of the head."""
        self._head_settings = settings
        scaled = {"coef": head["coef"] / settings.code_scale, "intercept": head["intercept"][:, 0]}
        parameters = self._targets.to_data_units(scaled)
        self.coef_, self.intercept_ = parameters["coef"], parameters["intercept"]
        vars(self).update(self._targets.attributes())

    def __setstate__(self, state):
        """Load the state, and restore arrays shared by layers, which joblib stores separately."""
        super().__setstate__(state)
        if "_training" in state:
            training.restore_sharing(self._training.layers, self._training.moments["layers"])

    def _check_depth(self):
        """Raise unless the number of layers is that of the last fit."""
        if self.n_layers != len(self._training.layers):
            raise ValueError(
                f"n_layers must be {len(self._training.layers)} for partial_fit to continue, as "
                f"before; got {self.n_layers} (fit with warm_start=True adds layers)."
            )

    def _check_architecture(self, architecture):
        """Raise unless the architecture is that of the last fit."""
        if architecture != self._architecture:
            raise ValueError(
                f"architecture must be that of the first fit to continue learning, "
                f"{type(self._architecture).__name__}; got {self.architecture!r}."
            )

    def _check_terms(self):
        reconstruction, prior, solver = super()._check_terms()
        if not is_plain_elastic_net(prior):
            expected = "an ElasticNet, the only prior that LISTAEncoder supports"
            raise ValueError(f"prior must be {expected}; got {prior!r}.")
        kind, wrong = ARCHITECTURES[self.architecture], None
        if is_positive(prior) and kind.needs_signed:
            wrong = "signed codes (positive=False), got a prior with positive=True"
        if is_per_atom(prior.lam) and kind.needs_one_weight:
            wrong = "one number lam for all atoms, got a prior with an array"
        if wrong:
            raise ValueError(f"architecture={self.architecture!r} requires {wrong}.")
        return reconstruction, prior, solver

    def _check_parameters(self):
        """Raise unless all parameters are in range."""
        check_parameters(self, self._learning)
        if self.loss is not None:
            check_parameters(self, self._with_loss)
        if self.dictionary_update == "tied" and "signal" not in (
            ARCHITECTURES[self.architecture].shared
        ):
            raise ValueError(
                "dictionary_update='tied' requires an architecture with one matrix on signals, "
                f"got architecture={self.architecture!r}."
            )
        if self.dictionary_update and self.target == "codes":
            raise ValueError(
                f"dictionary_update={self.dictionary_update!r} requires target='objective': "
                "exact codes depend on the dictionary; got target='codes'."
            )
