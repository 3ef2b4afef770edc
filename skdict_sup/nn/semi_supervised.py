"""Semi-supervised training of models with factorization layers."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from .._validation import check_scalar
from ._layer import Factorization

_UNLABELLED = -1  # as in scikit-learn


class SemiSupervisedLoss(nn.Module):
    r"""Loss that joins a supervised criterion and the objectives of all factorization layers.

    .. math:: \ell = (1 - \mu)\, \ell_S + \mu \sum_i \ell_U^{(i)}

    with :math:`\ell_U` the mean sparse-coding objective of the inputs of a layer, as given by its
    method `reconstruction_loss`.

    Parameters
    ----------
    model : torch.nn.Module
        Model with at least one :class:`SparseFactorization` or :class:`ConvSparseFactorization`.
    criterion : callable
        Supervised loss, ``criterion(output, target)``, such as ``torch.nn.CrossEntropyLoss()``.
    mu : float, default=0.5
        Weight of the unsupervised loss, in [0, 1]; :class:`MuSchedule` changes it.

    Attributes
    ----------
    mu : float
        Current weight.

    References
    ----------
    P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited supervision",
    2016, equations 12 to 15.

    Examples
    --------
    >>> import torch
    >>> from skdict_sup.nn import SemiSupervisedLoss, SparseFactorization
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(SparseFactorization(16, 20), torch.nn.Linear(20, 3))
    >>> loss = SemiSupervisedLoss(model, torch.nn.CrossEntropyLoss(), mu=0.5)
    >>> X, y = torch.randn(8, 16), torch.tensor([0, 1, 2, 0, -1, -1, -1, -1])
    >>> loss(model(X), y).backward()
    """

    def __init__(self, model: nn.Module, criterion: Callable[..., Tensor], mu: float = 0.5):
        super().__init__()
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}.")
        if not callable(criterion):
            raise TypeError(f"criterion must be callable, got {criterion!r}.")
        self._model = (model,)  # a tuple, so that its parameters are not those of the loss too
        if not self._layers():
            raise ValueError(
                "model must have at least one SparseFactorization or ConvSparseFactorization "
                "layer, got none."
            )
        self.criterion = criterion
        self.mu = float(check_scalar(mu, "mu", low=0.0, high=1.0))

    def _layers(self):
        return [m for m in self._model[0].modules() if isinstance(m, Factorization)]

    def forward(self, output: Tensor, target: Tensor, unlabelled: Any = None) -> Tensor:
        """Loss of a batch.

        Parameters
        ----------
        output : Tensor
            Output of the model for the batch, which must be that of its last forward pass unless
            `unlabelled` is given: a pass over validation data must not come in between.
        target : Tensor
            Target of the batch, as `criterion` expects it. Samples whose class indices are all
            -1, or with a NaN, have no label: only the unsupervised loss sees them.
        unlabelled : Tensor or None, default=None
            Input of another batch, for the unsupervised loss alone; the model is called on it.
            None uses the batch of `output`.

        Returns
        -------
        Tensor
            The loss, a number.

        Raises
        ------
        RuntimeError
            If the last forward pass was without gradients.
        """
        check_scalar(self.mu, "mu", low=0.0, high=1.0)
        if self.mu == 0:
            return self._supervised(output, target)
        if unlabelled is not None:
            self._model[0](unlabelled)
        unsupervised = self._unsupervised()
        if self.mu == 1:
            return unsupervised
        return (1 - self.mu) * self._supervised(output, target) + self.mu * unsupervised

    def _unsupervised(self):
        """Sum of the objectives of the layers that have been called since the last loss."""
        layers = self._layers()
        layers = [layer for layer in layers if not layer._is_counted] or layers
        losses = [layer.reconstruction_loss() for layer in layers]
        for layer, loss in zip(layers, losses, strict=True):
            learns = torch.is_grad_enabled() and layer.dictionary.requires_grad
            if learns and not loss.requires_grad:
                raise RuntimeError(
                    "the last forward pass of the model was without gradients, as for validation, "
                    "so that its unsupervised loss has none: call the model on the batch right "
                    "before the loss."
                )
            layer._is_counted = True
        return torch.stack(losses).sum()

    def _supervised(self, output, target):
        """Criterion of the samples that have a label, zero if there are none."""
        if not isinstance(target, Tensor):
            return self.criterion(output, target)
        if target.dtype.is_floating_point:
            is_labelled = ~_of_samples(target.isnan(), torch.any)
        else:
            is_labelled = ~_of_samples(target == _UNLABELLED, torch.all)
        if not bool(is_labelled.any()):
            return 0.0 * output.sum()  # the mean of a criterion over no sample is NaN
        if bool(is_labelled.all()):
            return self.criterion(output, target)
        return self.criterion(output[is_labelled], target[is_labelled])

    def extra_repr(self) -> str:
        """Current weight, for the printed form."""
        return f"mu={self.mu}"


def _of_samples(mask, reduce):
    """Mask of samples, from a mask of the entries of their targets."""
    return reduce(mask.flatten(1), dim=1) if mask.ndim > 1 else mask


class MuSchedule:
    """Steps of the weight mu of a :class:`SemiSupervisedLoss`, like a scheduler of torch.

    Parameters
    ----------
    loss : SemiSupervisedLoss
        Loss whose `mu` is set.
    milestones : sequence of int
        Epochs (numbers of calls of `step`) at which the next value begins, increasing.
    values : sequence of float, default=(0.8, 0.5, 0.3, 0.0)
        Values of mu, in [0, 1]: one more than there are milestones.
    last_epoch : int, default=-1
        Epoch to continue from; -1 starts anew.

    References
    ----------
    P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited supervision",
    2016, section 4.4.

    Examples
    --------
    >>> import torch
    >>> from skdict_sup.nn import MuSchedule, SemiSupervisedLoss, SparseFactorization
    >>> model = torch.nn.Sequential(SparseFactorization(16, 20), torch.nn.Linear(20, 3))
    >>> loss = SemiSupervisedLoss(model, torch.nn.CrossEntropyLoss())
    >>> schedule = MuSchedule(loss, milestones=[1, 2, 3])
    >>> for epoch in range(5):
    ...     print(loss.mu, end=" ")
    ...     schedule.step()
    0.8 0.5 0.3 0.0 0.0
    """

    def __init__(
        self,
        loss: SemiSupervisedLoss,
        milestones: Sequence[int],
        values: Sequence[float] = (0.8, 0.5, 0.3, 0.0),
        last_epoch: int = -1,
    ):
        if not isinstance(loss, SemiSupervisedLoss):
            raise TypeError(f"loss must be a SemiSupervisedLoss, got {type(loss).__name__}.")
        self.loss = loss
        for name, value in (("milestones", milestones), ("values", values)):
            if not isinstance(value, Sequence):
                raise TypeError(f"{name} must be a sequence of numbers, got {value!r}.")
        self.milestones = [
            int(check_scalar(m, "milestones", low=0, integer=True)) for m in milestones
        ]
        self.values = [float(check_scalar(v, "values", low=0.0, high=1.0)) for v in values]
        if len(self.values) != len(self.milestones) + 1:
            raise ValueError(
                "values must have one entry more than milestones, got "
                f"{len(self.values)} values and {len(self.milestones)} milestones."
            )
        if sorted(self.milestones) != self.milestones:
            raise ValueError(f"milestones must be increasing, got {milestones!r}.")
        self.last_epoch = int(check_scalar(last_epoch, "last_epoch", low=-1, integer=True))
        self.step()

    def step(self) -> None:
        """Begin the next epoch."""
        self.last_epoch += 1
        self.loss.mu = self.values[bisect_right(self.milestones, self.last_epoch)]

    def get_last_mu(self) -> float:
        """Current value of mu."""
        return self.loss.mu

    def state_dict(self) -> dict[str, Any]:
        """State without the loss, as plain numbers."""
        return {k: copy(v) for k, v in vars(self).items() if k != "loss"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state.

        Parameters
        ----------
        state_dict : dict
            Result of `state_dict`.
        """
        self.__dict__.update({k: copy(v) for k, v in state_dict.items()})
        self.loss.mu = self.values[bisect_right(self.milestones, self.last_epoch)]
