"""How an encoder is set up, trained and run."""

import time
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from .. import encoders
from .._array import astype_like, ignore_float_warnings, is_numpy, namespace
from .._atoms import Atoms
from .._threads import effective_n_jobs, map_threads, one_blas_thread, slices
from .._validation import ConvergenceWarning, warn
from ..dictionary.online import OnlineSettings
from ..dictionary.start import resolved_prior, unlabelled_start
from ..encoders import ARCHITECTURES, Seen, costs, network, training
from ..execution import solve
from ..losses import CLASSIFICATION_LOSSES, Square
from ..optim import OPTIMIZERS, schedules
from ..priors import elastic_net_weights, is_positive
from ..problem import Problem
from ..reconstruction import as_reconstruction
from ..supervised.data import Samples, as_they_are
from ..supervised.head_fit import best_head_on
from ..supervised.heads import LinearHead
from ..supervised.step import HeadSettings, code_scale_of
from ._built import built_encoder
from ._coding import CodingEstimator
from ._fitting import as_generator, in_one_step
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
from ._targets import (
    ClassTargets,
    RealTargets,
    check_rows,
    classes_of,
    read_classes,
    read_numbers,
)

LOSSES = {"square": Square(), **CLASSIFICATION_LOSSES}
_LARGEST_BATCH = 64  # larger batches end where atoms that are not in use carry weight
_RATES = {"adam": 0.03, "adadelta": 1.0}  # "auto", in units of the typical entry of each array
_ROWS_AT_ONCE = 1024  # signals of a forward pass
_JUDGES = 2000  # signals that judge an epoch


class NetworkEstimator(CodingEstimator):
    """Estimator whose codes are made by a network; subclasses have the parameters."""

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

    transfer, split_sign = "linear", False  # of the codes that are approximated
    solver = "auto"

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

    def _coded(self, X, n_layers=None):
        check_parameters(self, self._running)
        dictionary = astype_like(self.components_, X.like)
        problem = Problem(as_reconstruction(self.transfer), self.prior_, Atoms(dictionary))
        layers = encoders.alike(self.layers_[:n_layers], dictionary)
        encoder = built_encoder(self, self._architecture, layers, problem, self.safeguard)
        parts = slices(X.shape[0], _ROWS_AT_ONCE)
        n_jobs = effective_n_jobs(self.n_jobs) if is_numpy(dictionary) else 1
        with one_blas_thread():
            codes = map_threads(lambda where: encoder(X.batch(where)), parts, n_jobs)
            return namespace(dictionary).concat(codes, axis=0)

    def _course(self, X, y, warm):
        """What a training needs beside the signals; raises where a parameter is out of range."""
        self._check_parameters()
        rng, architecture = as_generator(self.random_state), ARCHITECTURES[self.architecture]
        reconstruction, prior, solver = self._terms()
        if warm:
            self._check_same(architecture)
            dictionary, prior = self.components_, self.prior_
        elif self.dictionary is None:
            dictionary, prior = unlabelled_start(
                X,
                OnlineSettings(reconstruction, prior, solver, n_jobs=self.n_jobs),
                rng,
                init=self.init,
                n_components=self.n_components,
                n_epochs=self.init_max_iter,
                verbose=self.verbose > 1,
            )
        else:
            dictionary = self._given_dictionary(self.dictionary, X)
            prior = resolved_prior(prior, X, dictionary)
        problem = Problem(reconstruction, prior, Atoms(dictionary))
        rows = rng.permutation(X.shape[0])[:_JUDGES]
        judges = X.batch(rows)
        kept = self._training.layers[: self.n_layers] if warm else []
        layers = architecture.grown(kept, Seen(problem, judges), self.n_layers)
        if self.dictionary_update == "tied":
            layers = [layer | {"signal": layers[0]["signal"]} for layer in layers]
        cost = costs.Objective()
        if self.target == "codes":
            cost = costs.Distance(solve(problem, X, solver, n_jobs=self.n_jobs).code)
        xp = namespace(judges)
        energy = float(xp.mean(xp.vecdot(judges, judges, axis=-1))) or 1.0
        course = training.Course(
            architecture,
            reconstruction,
            prior,
            cost,
            energy,
            self.every_layer,
            self.dictionary_update,
            OPTIMIZERS[self.optimizer],
            dictionary,
            layers,
            judges,
            rows,
            rng,
        )
        if self.loss is None:
            self._targets = None
            return course, {}, self._samples(X, np.zeros((X.shape[0], 1)))
        return self._with_task(course, problem, X, y, warm)

    def _with_task(self, course, problem, X, y, warm):
        """Course with a task, the head to begin with, and the samples with their labels."""
        targets, labels = self._read_targets(X, y, warm)
        samples = self._samples(X, labels, targets)
        like = samples.batch(course.rows).target
        if warm:
            settings, head = self._head_settings, self._training.head
        else:
            code = network.Encoder(course.architecture, course.layers, problem)(course.judges)
            n_codes, n_features = problem.dictionary.shape
            zero = LinearHead().start(problem.dictionary, targets.n_outputs, n_codes, n_features)
            scale = code_scale_of(code)
            settings = HeadSettings(targets.loss, nu=1 / code.shape[0], code_scale=scale)
            head = best_head_on(zero, code, like, settings)
            settings = replace(settings, nu=1 / X.shape[0])
        self._targets = targets
        return replace(course, judge_targets=like, task=settings, mu=self.mu), head, samples

    def _read_targets(self, X, y, fitted):
        """Targets, those of the fit where `fitted`, and labels as their array."""
        if y is None:
            raise ValueError(
                f"loss={self.loss!r} requires y to be passed, but the target y is None."
            )
        targets, loss = self._targets if fitted else None, LOSSES[self.loss]
        if fitted and (targets is None or targets.loss != loss):
            raise ValueError(
                f"loss must be that of the first fit to go on learning; got {self.loss!r}."
            )
        if self.loss == "square":
            labels, _, flat = read_numbers(y)
            check_rows(labels, X)
            numbers = targets or RealTargets(loss, flat=flat).scaled_to(labels, None)
            numbers.check_columns(labels)
            return numbers, labels
        y, labelled = read_classes(y)
        classes = targets or ClassTargets(classes_of(y, labelled), loss)
        labels = classes.labels(y, labelled)
        check_rows(labels, X)
        return classes, labels

    def _train(self, samples, state, course):
        """Epochs, published one by one; the best is kept."""
        curve, best = [course.cost(state)], state
        self._publish(state, course, curve)
        n_epochs = 0 if course.architecture.fixed else self.max_iter
        rates = schedules.Cosine(self._rate(), 0.0, n_epochs * samples.n_steps()).rates
        for epoch in range(n_epochs):
            begin = time.perf_counter()
            state = training.learn(state, samples, course, rates, course.rng)
            curve.append(course.cost(state))
            best = state if curve[-1] <= min(curve) else best
            self._publish(state, course, curve)
            if self.verbose:
                seconds = time.perf_counter() - begin
                line = f"epoch {epoch + 1}/{n_epochs}: cost {curve[-1]:.6g}, {seconds:.1f} s"
                print(line, flush=True)
        self._publish(best, course, curve)
        if not np.isfinite(curve[-1]):
            warn(
                "the cost left the finite numbers: the network is that of the best epoch, with a "
                f"cost of {np.nanmin(curve):.6g}; choose a smaller learning_rate, it was "
                f"{self._rate():g}.",
                ConvergenceWarning,
            )

    def _head_alone(self, X, y):
        """Fit the head to its optimum on the codes of checked signals."""
        targets, labels = self._read_targets(X, y, fitted=True)
        code = self._coded(X)
        settings = replace(self._head_settings, nu=1 / X.shape[0])
        target = astype_like(targets.encoder()(labels), code)
        head = best_head_on(self._training.head, code, target, settings)
        self._replace_head(head, settings)

    @in_one_step
    def _replace_head(self, head, settings):
        self._training = replace(self._training, head=head)
        self._publish_head(head, settings)

    @ignore_float_warnings()
    def _head_scores(self, code):
        """Scores of the head in the units of y: (n_samples, n_outputs)."""
        coef, intercept = (astype_like(a, code) for a in (self.coef_, self.intercept_))
        return code @ coef.T + intercept[None, :]

    def _samples(self, X, labels, targets=None):
        encoder = as_they_are if targets is None else targets.encoder()
        ones, size = np.ones(X.shape[0]), self.batch_size
        return Samples(X, labels, ones, encoder, size, largest_batch=_LARGEST_BATCH)

    def _rate(self):
        return _RATES[self.optimizer] if self.learning_rate == "auto" else self.learning_rate

    @in_one_step
    def _publish(self, state, course, curve):
        self.components_, self.layers_ = state.dictionary, state.layers
        self.prior_, self.loss_curve_ = course.prior, list(curve)
        self.n_iter_ = max(1, len(curve) - 1)
        self._training, self._architecture = state, course.architecture
        for name in ("classes_", "coef_", "intercept_"):
            vars(self).pop(name, None)
        self._head_settings = course.task
        if course.task is not None:
            self._publish_head(state.head, course.task)

    def _publish_head(self, head, settings):
        self._head_settings = settings
        flat = {"coef": head["coef"] / settings.code_scale, "intercept": head["intercept"][:, 0]}
        units = self._targets.in_units(flat)
        self.coef_, self.intercept_ = units["coef"], units["intercept"]
        vars(self).update(self._targets.published())

    def __setstate__(self, state):
        """Load, and share again what layers had in common: joblib stores an array at a time."""
        super().__setstate__(state)
        if "_training" in state:
            training.share(self._training.layers, self._training.moments["layers"])

    def _check_depth(self):
        """Raise unless there are as many layers as there were."""
        if self.n_layers != len(self._training.layers):
            raise ValueError(
                f"n_layers must be {len(self._training.layers)} for partial_fit to go on, as "
                f"before; got {self.n_layers} (fit with warm_start=True adds layers)."
            )

    def _check_same(self, architecture):
        """Raise unless the layers of the last fit are of this architecture."""
        if architecture != self._architecture:
            raise ValueError(
                f"architecture must be that of the first fit to go on learning, "
                f"{type(self._architecture).__name__}; got {self.architecture!r}."
            )

    def _terms(self):
        reconstruction, prior, solver = super()._terms()
        if elastic_net_weights(prior) is None:
            raise ValueError(
                f"prior must be an ElasticNet, whose shrinkage the layers apply; got {prior!r}."
            )
        if is_positive(prior) and ARCHITECTURES[self.architecture].needs_signed:
            raise ValueError(
                f"architecture={self.architecture!r} turns the codes and needs signed ones, got a "
                "prior with positive=True."
            )
        return reconstruction, prior, solver

    def _check_parameters(self):
        """Raise unless every parameter is in range."""
        check_parameters(self, self._learning)
        if self.loss is not None:
            check_parameters(self, self._with_loss)
        if self.dictionary_update == "tied" and "signal" not in (
            ARCHITECTURES[self.architecture].shared
        ):
            raise ValueError(
                "dictionary_update='tied' needs an architecture with one matrix on the signals, "
                f"got architecture={self.architecture!r}."
            )
        if self.dictionary_update and self.target == "codes":
            raise ValueError(
                f"dictionary_update={self.dictionary_update!r} needs target='objective': codes "
                "over other atoms are others; got target='codes'."
            )
