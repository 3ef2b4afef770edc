"""How an encoder is set up, trained and run."""

import time
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from .. import encoders
from .._array import astype_like, dense, is_numpy, namespace, take_rows, unflagged
from .._atoms import Atoms
from .._threads import computing, effective_n_jobs, map_threads, slices
from .._validation import ConvergenceWarning, check_option, check_scalar, warn
from ..encoders import ARCHITECTURES, Seen, costs, network, training
from ..execution import solve
from ..optim import OPTIMIZERS, schedules
from ..priors import elastic_net_weights
from ..problem import Problem, resolve_prior
from ..reconstruction import as_reconstruction
from ..supervised.data import Samples
from ._advice import warn_of_zero_codes
from ._base import MOST_COMPONENTS, CodingEstimator, generator, in_one_step
from ._encoder_task import TASKS, best_head, first_settings, task_of, zero_head

_RATES = {"adam": 0.03, "adadelta": 1.0}  # "auto", in units of the typical entry of each array
_ROWS_AT_ONCE, _JUDGES = 1024, 2000  # signals of a forward pass; signals that judge an epoch


# by estimator, but no part of one: what is stored and compared does not hold it
_BUILT = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class _Built:
    """A network that was built, and copies of what it was built of."""

    arrays: list
    settings: tuple
    encoder: network.Encoder

    def is_of(self, arrays, settings):
        """Whether another one would be the same."""
        pairs = zip(self.arrays, arrays, strict=False)
        same = len(self.arrays) == len(arrays) and self.settings == settings
        return same and all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in pairs)


class NetworkEstimator(CodingEstimator):
    """Estimator whose codes are made by a network; subclasses have the parameters."""

    transfer, split_sign = "linear", False  # of the codes that are approximated
    solver, positive_dictionary = "auto", False
    _most_in_batch = 64  # many small steps: batches of 256 end where atoms not in use carry weight

    def _coded(self, X, n_layers=None):
        self._check_running()
        dictionary = astype_like(self.components_, X)
        problem = Problem(as_reconstruction(self.transfer), self.prior_, Atoms(dictionary))
        layers = encoders.alike(self.layers_[:n_layers], dictionary)
        encoder = self._encoder(problem, layers)
        parts = slices(X.shape[0], _ROWS_AT_ONCE)
        n_jobs = effective_n_jobs(self.n_jobs) if is_numpy(dictionary) else 1
        with computing():
            codes = map_threads(lambda where: encoder(dense(X[where, :])), parts, n_jobs)
            return namespace(dictionary).concat(codes, axis=0)

    def _encoder(self, problem, layers):
        """The network as it computes codes, built anew where anything in it has changed.

        In host memory alone: to compare what a device has would take longer.
        """
        arrays = [problem.dictionary, *(a for layer in layers for a in layer.values())]
        if not is_numpy(*arrays):
            return network.Encoder(self._architecture, layers, problem, self.safeguard)
        settings = self._architecture, self.safeguard, problem.prior.get_params()
        built = _BUILT.get(self)
        if built is None or not built.is_of(arrays, settings):
            encoder = network.Encoder(self._architecture, layers, problem, self.safeguard)
            built = _BUILT[self] = _Built([array.copy() for array in arrays], settings, encoder)
        return built.encoder

    def _course(self, X, y, warm):
        """What a training needs beside the signals; raises where a parameter is out of range."""
        self._check_parameters()
        rng, architecture = generator(self.random_state), ARCHITECTURES[self.architecture]
        reconstruction, prior, solver = self._terms()
        if warm:
            self._check_same(architecture)
            dictionary, prior = self.components_, self.prior_
        elif self.dictionary is None:
            dictionary, prior = self._unlabelled_start(X, reconstruction, prior, solver, rng)
        else:
            dictionary = self._given_dictionary(X)
            prior = resolve_prior(prior, X, dictionary)
            warn_of_zero_codes(prior, X, dictionary)
        problem = Problem(reconstruction, prior, Atoms(dictionary))
        rows = rng.permutation(X.shape[0])[:_JUDGES]
        judges = dense(take_rows(X, rows))
        kept = self._state.layers[: self.n_layers] if warm else []
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
            return course, {}, None
        return self._with_task(course, problem, X, y, warm)

    def _with_task(self, course, problem, X, y, warm):
        """Course with a task, the head to begin with, and the targets of all samples."""
        task = self._task if warm else task_of(self.loss, y)
        if task is None or task.loss != TASKS[self.loss]:
            raise ValueError(
                f"loss must be that of the first fit to go on learning; got {self.loss!r}."
            )
        targets = task.targets(y, X.shape[0])
        like = astype_like(targets[course.rows], course.judges)
        if warm:
            settings, head = self._state_settings, self._state.head
        else:
            code = network.Encoder(course.architecture, course.layers, problem)(course.judges)
            settings = first_settings(task, code)
            head = best_head(zero_head(targets, problem.dictionary), code, like, settings)
            settings = replace(settings, nu=1 / X.shape[0])
        self._task = task
        return replace(course, judge_targets=like, task=settings, mu=self.mu), head, targets

    def _train(self, X, targets, state, course):
        """Epochs, published one by one; the best is kept."""
        curve, best = [course.cost(state)], state
        self._publish(state, course, curve)
        samples = self._samples(X, targets)
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
        targets, code = self._task.targets(y, X.shape[0]), self._coded(X)
        settings = replace(self._state_settings, nu=1 / X.shape[0])
        self._replace_head(best_head(self._state.head, code, targets, settings), settings)

    @in_one_step
    def _replace_head(self, head, settings):
        self._state = replace(self._state, head=head)
        self._publish_head(head, settings)

    @unflagged()
    def _head_scores(self, code):
        """Scores of the head: (n_samples, n_outputs)."""
        like = astype_like(self._state.head["coef"], code)
        intercept = astype_like(self._state.head["intercept"], code)[:, 0]
        return code / self._state_settings.code_scale @ like.T + intercept[None, :]

    def _samples(self, X, targets):
        n = X.shape[0]
        targets = np.zeros((n, 1)) if targets is None else targets
        return Samples(X, lambda rows: targets[rows], np.ones(n), self._batch_size(n))

    def _rate(self):
        return _RATES[self.optimizer] if self.learning_rate == "auto" else self.learning_rate

    @in_one_step
    def _publish(self, state, course, curve):
        self.components_, self.layers_ = state.dictionary, state.layers
        self.prior_, self.loss_curve_ = course.prior, list(curve)
        self.n_iter_ = max(1, len(curve) - 1)
        self._state, self._architecture = state, course.architecture
        for name in ("classes_", "coef_", "intercept_"):
            vars(self).pop(name, None)
        if course.task is None:
            self._task = self._state_settings = None
        else:
            self._publish_head(state.head, course.task)

    def _publish_head(self, head, settings):
        spread, center = self._task.spread, self._task.center
        self._state_settings = settings
        self.coef_ = head["coef"] * (spread / settings.code_scale)
        self.intercept_ = head["intercept"][:, 0] * spread
        if self._task.classes is not None:
            self.classes_ = self._task.classes
        else:
            self.intercept_ = self.intercept_ + astype_like(center, self.intercept_)

    def __setstate__(self, state):
        """Load, and share again what layers had in common: joblib stores an array at a time."""
        super().__setstate__(state)
        if "_state" in state:
            training.share(self._state.layers, self._state.moments["layers"])

    def _check_depth(self):
        """Raise unless there are as many layers as there were."""
        if self.n_layers != len(self._state.layers):
            raise ValueError(
                f"n_layers must be {len(self._state.layers)} for partial_fit to go on, as before; "
                f"got {self.n_layers} (fit with warm_start=True adds layers)."
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
        if prior.positive and ARCHITECTURES[self.architecture].needs_signed:
            raise ValueError(
                f"architecture={self.architecture!r} turns the codes and needs signed ones, got a "
                "prior with positive=True."
            )
        return reconstruction, prior, solver

    def _check_parameters(self):
        """Raise unless every parameter is in range."""
        self._check_running()
        check_option(self.architecture, "architecture", set(ARCHITECTURES))
        check_option(self.target, "target", {"objective", "codes"})
        if self.loss is not None:
            check_option(self.loss, "loss", set(TASKS))
            check_scalar(self.mu, "mu", low=0.0, high=1.0)
        for name, low in (("n_layers", 1), ("max_iter", 1)):
            check_scalar(getattr(self, name), name, low=low, integer=True)
        check_scalar(self.n_components, "n_components", low=1, high=MOST_COMPONENTS, integer=True)
        self._check_number_or_auto("learning_rate", low=0.0, strict=True)
        self._check_number_or_auto("batch_size", low=1, integer=True)
        self._check_number_or_auto("init_max_iter", low=0, integer=True)
        check_option(self.optimizer, "optimizer", set(OPTIMIZERS))
        self._check_switches("every_layer", "warm_start")
        if self.dictionary_update != "tied":
            self._check_switches("dictionary_update", also=", or 'tied'")
        elif "signal" not in ARCHITECTURES[self.architecture].shared:
            raise ValueError(
                "dictionary_update='tied' needs an architecture with one matrix on the signals, "
                f"got architecture={self.architecture!r}."
            )
        if self.dictionary_update and self.target == "codes":
            raise ValueError(
                f"dictionary_update={self.dictionary_update!r} needs target='objective': codes "
                "over other atoms are others; got target='codes'."
            )

    def _check_running(self):
        super()._check_running()
        self._check_switches("safeguard")
