"""What the two layers share: dictionary, hyper-parameters, loss, exchange with estimators."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from .._threads import effective_n_jobs
from .._validation import check_scalar
from ..coding import make_solver
from ..estimators import OnlineDictionaryLearning
from ..priors import Prior
from ..reconstruction import as_reconstruction
from ._exchange import HALF, estimator_of, signals_reaching
from ._hyper_parameters import HyperParameters
from ._modes import is_compiling_or_any, is_exporting, is_recomputing
from ._rows import typical_correlation
from ._settings import OPTIONS, describe, prior_of, settings_by_name

_SLACK = 2e-6  # excess of a norm over one that counts as rounding error


class Factorization(nn.Module):
    """Base of the layers, which define the signals that they code."""

    dictionary: nn.Parameter
    running_lam_max: Tensor

    def __init__(
        self,
        n_features: int,
        n_components: int,
        *,
        prior: Prior | str,
        transfer: str,
        learn_prior: bool | Sequence[str],
        solver: str,
        tol: float | None,
        max_iter: int | None,
        momentum: float,
        n_jobs: int | None,
        device: Any,
        dtype: torch.dtype | None,
    ):
        super().__init__()
        self.n_components = int(check_scalar(n_components, "n_components", low=1, integer=True))
        self.transfer, self.solver, self.tol, self.max_iter = transfer, solver, tol, max_iter
        self.momentum = float(check_scalar(momentum, "momentum", low=0.0, high=1.0, strict=True))
        self.learn_prior = learn_prior
        if isinstance(learn_prior, Iterable) and not isinstance(learn_prior, str):
            self.learn_prior = tuple(learn_prior)
        self.n_jobs = n_jobs
        effective_n_jobs(n_jobs)
        as_reconstruction(transfer)
        if tol is not None:
            check_scalar(tol, "tol", low=0.0, strict=True, also="or None")
        empty = torch.empty(self.n_components, n_features, device=device, dtype=dtype)
        if not empty.dtype.is_floating_point:
            raise TypeError(f"dtype must be a floating-point dtype, got {empty.dtype}.")
        self.dictionary, self._loss, self._is_counted = nn.Parameter(empty), None, False
        self._set_prior(prior)
        for name, value in self._hyper.initial_logarithms(empty).items():
            self.register_parameter(f"log_{name}", nn.Parameter(value))
        self.register_buffer("running_lam_max", torch.zeros((), device=device, dtype=dtype))
        self.reset_parameters()

    def _set_prior(self, prior):
        term = as_reconstruction(self.transfer)
        hyper = HyperParameters(prior, self.learn_prior, self.n_components, term)
        make_solver(self.solver, term, hyper.prior, self.max_iter)
        options = [getattr(self, name) for name in OPTIONS]
        self._text, self._hyper = describe(hyper.prior, hyper.lengths, options), hyper

    def reset_parameters(self) -> None:
        """Set random atoms of unit norm, and the hyper-parameters that the prior has."""
        with torch.no_grad():
            self.dictionary.normal_()
            self.dictionary /= torch.linalg.vector_norm(self.dictionary, dim=1, keepdim=True)
            for name, value in self._hyper.initial_logarithms(self.dictionary).items():
                getattr(self, f"log_{name}").copy_(value)
            self.running_lam_max.zero_()

    @property
    def prior(self) -> Prior:
        """Prior as given; another one may be set if no hyper-parameter is learned."""
        return self._hyper.prior

    @prior.setter
    def prior(self, prior: Prior | str) -> None:
        if self.learn_prior:
            raise ValueError(
                "prior cannot be set if learn_prior is used, whose parameters belong to the first "
                "prior: make another layer."
            )
        self._set_prior(prior)

    @property
    def prior_(self) -> Prior:
        """Prior with the current values of hyper-parameters that are relative or learned."""
        if self._hyper.relative and not float(self.running_lam_max) > 0:
            return copy(self._hyper.prior)
        return prior_of(self._text, self._weights_at(self.running_lam_max))

    def _weights_at(self, scale):
        logs = {name: getattr(self, f"log_{name}") for name in self._hyper.learned}
        return self._hyper.tensor(scale, logs)

    def _is_fixed(self):
        """Whether the scale of signals is known and does not change; unknown in a graph.

        A forward pass that a checkpoint repeats has the scale of the first time.
        """
        if torch.compiler.is_compiling() or (self.training and not is_recomputing()):
            return False
        try:
            return float(self.running_lam_max) > 0
        except RuntimeError:  # layers that are stacked for vmap
            return False

    def _scale(self, found):
        """Typical correlation to use and to store, from that of a batch."""
        before = self.running_lam_max.to(found.dtype)
        is_known = before > 0
        if not self.training:
            return torch.where(is_known, before, found)
        moved = torch.where(is_known, torch.lerp(before, found, self.momentum), found)
        return torch.where(found > 0, moved, before)

    def _projected(self, stores):
        """Atoms, scaled to norm one where they are longer; `stores` writes them to the parameter.

        The gradient is that at the projected atoms, as in projected gradient descent.
        """
        atoms = self.dictionary
        with torch.no_grad():
            is_long = torch.linalg.vector_norm(atoms, dim=1, keepdim=True) > _longest(atoms.dtype)
            if not is_compiling_or_any(is_long):
                return atoms
            largest = atoms.abs().amax(dim=1, keepdim=True)
            scaled = atoms / torch.where(is_long, largest, torch.ones_like(largest))
            unit = scaled / torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
            projected = torch.where(is_long, unit, atoms)
        if stores and torch.compiler.is_compiling():
            with torch.no_grad():
                self.dictionary.copy_(projected)
        elif stores:
            # by `data`, which leaves graphs valid that have used the dictionary before
            self.dictionary.data.copy_(projected)
        return projected + (atoms - atoms.detach())

    def _coded(self, input, operator, typical, *places):
        """Codes of an input by an operator (input, dictionary, weights, settings, *places).

        `typical` is the operator (input, dictionary, positive, *places) for the scale.
        """
        dictionary = self._projected(stores=self.training and not is_exporting())
        if dictionary.dtype in HALF:
            dictionary = dictionary.float()
        values, scale = input.to(dictionary.dtype), None
        learns_scale = self.training and not is_exporting() and not is_recomputing()
        if self._hyper.relative and self._is_fixed():
            scale = self.running_lam_max.to(values.dtype)
        elif self._hyper.relative:
            with torch.no_grad():
                arguments = values.detach(), dictionary.detach(), self._hyper.positive
                scale = self._scale(typical(*arguments, *places))
        # signals of zeros: any positive weight gives the code zero
        known = None if scale is None else torch.where(scale > 0, scale, torch.ones_like(scale))
        weights = self._weights_at(known)
        code, objective, _ = operator(values, dictionary, weights, self._text, *places)
        if scale is not None and learns_scale:
            # by a view: compiled graphs drop a write to a float64 tensor of no dimension
            with torch.no_grad():
                largest = torch.finfo(self.running_lam_max.dtype).max
                self.running_lam_max.view(1).copy_(scale.clamp(max=largest).view(1))
        if not is_exporting():
            self._is_counted = False
            self._loss = objective.sum() / max(objective.numel(), 1)
        return code.to(input.dtype)

    def _check_input(self, input):
        """Raise an error unless the input is a real tensor where the dictionary is."""
        if not isinstance(input, Tensor):
            raise TypeError(
                f"input must be a torch tensor, got {type(input).__name__}; "
                "use torch.as_tensor(input)."
            )
        dictionary = self.dictionary
        if not input.dtype.is_floating_point:
            raise TypeError(
                f"input must have a real floating-point dtype, got {input.dtype}; use "
                f"input.to({dictionary.dtype})."
            )
        if input.dtype != dictionary.dtype and input.dtype not in HALF:
            raise TypeError(
                f"input must have the dtype of the dictionary, {dictionary.dtype}, got "
                f"{input.dtype}; convert one of them, as in layer.to(input.dtype)."
            )
        if input.device != dictionary.device:
            raise ValueError(
                f"input is on {input.device}, but the dictionary of the layer is on "
                f"{dictionary.device}; move one of them, as in layer.to(input.device)."
            )

    def reconstruction_loss(self) -> Tensor:
        r"""Mean sparse-coding objective of the signals of the last forward pass.

        .. math:: \ell_U = \tfrac12 \|x - w D\|_2^2 + \varphi(w)

        for the linear transfer. Its gradients for the dictionary, :math:`-w^\top (x - w D)`, and
        for the input, :math:`x - w D`, are those at fixed codes, which minimise it.
        Hyper-parameters get no gradient: the objective alone would drive lam to zero.

        Returns
        -------
        Tensor
            A number, in squared units of the input.

        Raises
        ------
        RuntimeError
            If there has been no forward pass.

        References
        ----------
        P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited
        supervision", 2016, equations 12, 13 and 15.
        """
        if self._loss is None:
            raise RuntimeError(
                "reconstruction_loss belongs to the last forward pass, and there has been none "
                "since this layer was made, copied or loaded: call the layer first."
            )
        return self._loss

    def __getstate__(self):
        return self.__dict__ | {"_loss": None}  # a tensor with a graph cannot be copied

    def __setstate__(self, state):
        super().__setstate__(state)
        self._set_prior(self._hyper.prior)

    def to_estimator(self, estimator: Any = None) -> Any:
        """Estimator with the dictionary and the prior of this layer.

        Parameters
        ----------
        estimator : estimator or None, default=None
            Estimator with a parameter ``init``, such as
            :class:`~skdict_sup.SupervisedDictionaryClassifier`, for which the dictionary is a
            start; None makes a :class:`~skdict_sup.SparseCoder`, whose codes of signals (centred
            patches, for ``center=True``) are those of the layer in evaluation mode.

        Returns
        -------
        estimator
            A copy with other parameters, not fitted.

        Raises
        ------
        TypeError
            If the estimator has no parameter ``init``.
        """
        with torch.no_grad():
            atoms = self._projected(stores=False)
        return estimator_of(self, atoms, estimator)

    def _load(self, atoms):
        """Copy a dictionary in NumPy to this layer."""
        with torch.no_grad():
            self.dictionary.copy_(torch.as_tensor(atoms))
        return self

    def initialise_from(
        self,
        data_loader: Iterable,
        model: Callable | None = None,
        *,
        n_signals: int = 30_000,
        random_state: int | None = None,
    ) -> Self:
        """Learn the dictionary without labels, on what reaches this layer.

        Parameters
        ----------
        data_loader : iterable
            Batches: tensors, or tuples whose first entry is the input.
        model : callable or None, default=None
            Model that contains this layer: batches are passed to it, and the dictionary is learned
            on the inputs that this layer gets. None passes the batches to this layer.
        n_signals : int, default=30000
            Number of signals, at most, that are learned from. Of each batch of a convolutional
            layer, patches are drawn at random.
        random_state : int or None, default=None
            Seed of the random choices.

        Returns
        -------
        self
            The layer, with another dictionary.

        Raises
        ------
        ValueError
            If no batch reaches the layer.

        References
        ----------
        P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited
        supervision", 2016, section 6.
        """
        rng = np.random.default_rng(random_state)
        signals = signals_reaching(self, data_loader, model, n_signals, rng)
        learner = OnlineDictionaryLearning(
            self.n_components,
            prior=self.prior_,
            transfer=self.transfer,
            random_state=int(rng.integers(2**31)),
            n_jobs=self.n_jobs,
        )
        learner.fit(signals)
        self._load(learner.components_)
        with torch.no_grad():
            if self._hyper.relative:
                rows = torch.as_tensor(signals).to(self.dictionary)
                scale = typical_correlation(rows, self.dictionary, self._hyper.positive)
                self.running_lam_max.copy_(scale)
        return self

    def _some_rows(self, input, n_rows, rng):
        """Signals of an input, at most n_rows."""
        raise NotImplementedError

    def _arguments(self):
        """Arguments that are not their default, for `extra_repr`."""
        values = ", ".join(f"{k}={v!r}" for k, v in settings_by_name(self.prior).items())
        shown = [f"prior={type(self.prior).__name__}({values})"]
        if self.transfer != "linear":
            shown.append(f"transfer={self.transfer!r}")
        if self.learn_prior:
            shown.append(f"learn_prior={self.learn_prior!r}")
        return shown


def _longest(dtype):
    """Largest norm of an atom that counts as one."""
    return 1 + max(_SLACK, 4 * torch.finfo(dtype).eps)
