"""SparseFactorization: exact sparse codes in place of a fully connected layer."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from .._validation import check_scalar
from ..priors import Prior
from ._exchange import arguments_of, atoms_of
from ._layer import Factorization
from ._operators import code_rows, typical_correlation_of_rows


class SparseFactorization(Factorization):
    r"""Sparse codes of its input over a learned dictionary, in place of `torch.nn.Linear`.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)

    The codes are exact and sparse, so that no activation function is needed behind the layer, and
    gradients are those of the minimum, by implicit differentiation. The layer works with any
    optimizer: in training mode, the forward pass first scales atoms that are longer than one to
    unit norm.

    Parameters
    ----------
    in_features : int
        Number of features of a signal, the last dimension of the input.
    n_components : int
        Number of atoms, the last dimension of the output.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes, as in :func:`~skdict_sup.encode`. A number for lam is in the units of
        the input. "auto" and multiples such as "0.1*lam_max" follow the scale of the input: they
        are relative to `running_lam_max`.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the input; "softmax" is for inputs that are distributions.
    learn_prior : bool or sequence of str, default=False
        Whether hyper-parameters of the prior are parameters of the layer, on a log scale: True for
        those of lam, lam2 and p that are positive, or their names.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or on the optimality residual for smooth priors;
        None means 1e-9 in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations of the solver per signal.
    momentum : float, default=0.1
        Weight of a batch in the running estimate `running_lam_max`, in (0, 1].
    n_jobs : int or None, default=None
        Number of threads; None uses `torch.get_num_threads`.
    device : torch.device, str or None, default=None
        Device of the parameters.
    dtype : torch.dtype or None, default=None
        Data type of the parameters. Half precision is computed in float32.

    Attributes
    ----------
    dictionary : torch.nn.Parameter of shape (n_components, in_features)
        Atoms as rows, as in ``components_`` of the estimators.
    running_lam_max : Tensor
        Typical largest correlation of a signal with an atom: the median over a batch, as a running
        estimate that is updated in training mode; zero before the first batch. It is used if the
        prior is relative to it.
    log_lam, log_lam2, log_p : torch.nn.Parameter
        Logarithms of the hyper-parameters named by `learn_prior`; of relative ones, the logarithms
        of their ratio to `running_lam_max`.

    See Also
    --------
    ConvSparseFactorization : The same for the patches of images.
    skdict_sup.SupervisedDictionaryClassifier : A linear classifier of codes, without torch.

    Notes
    -----
    Shape: the input is (..., in_features), and the output (..., n_components). Codes that have not
    converged to `tol` lead to one warning. Signed elastic-net codes are followed by no rectifier;
    ``ElasticNet(positive=True)`` makes nonnegative ones.

    References
    ----------
    P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited supervision",
    2016, equations 5 to 8.

    Examples
    --------
    >>> import torch
    >>> from skdict_sup import ElasticNet
    >>> from skdict_sup.nn import SparseFactorization
    >>> _ = torch.manual_seed(0)
    >>> model = torch.nn.Sequential(
    ...     SparseFactorization(64, 100, prior=ElasticNet(lam=0.5)), torch.nn.Linear(100, 10)
    ... )
    >>> loss = model(torch.randn(32, 64)).square().mean()
    >>> loss.backward()
    >>> model[0].dictionary.grad.shape
    torch.Size([100, 64])
    """

    def __init__(
        self,
        in_features: int,
        n_components: int,
        *,
        prior: Prior | str = "elastic_net",
        transfer: str = "linear",
        learn_prior: bool | Sequence[str] = False,
        solver: str = "auto",
        tol: float | None = None,
        max_iter: int | None = None,
        momentum: float = 0.1,
        n_jobs: int | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        self.in_features = int(check_scalar(in_features, "in_features", low=1, integer=True))
        super().__init__(
            self.in_features,
            n_components,
            prior=prior,
            transfer=transfer,
            learn_prior=learn_prior,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            momentum=momentum,
            n_jobs=n_jobs,
            device=device,
            dtype=dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        """Codes of the input.

        Parameters
        ----------
        input : Tensor of shape (..., in_features)
            Signals, in the dtype of the dictionary or in half precision.

        Returns
        -------
        Tensor of shape (..., n_components)
            Codes, in the dtype of the input.

        Raises
        ------
        ValueError, TypeError
            If the number of features, the dtype or the device does not match, or if the input is
            not finite.
        """
        self._check_input(input)
        rows = input.reshape(-1, self.in_features)
        code = self._coded(rows, code_rows, typical_correlation_of_rows)
        return code.reshape(*input.shape[:-1], self.n_components)

    def _check_input(self, input):
        super()._check_input(input)
        if input.ndim == 0 or input.shape[-1] != self.in_features:
            raise ValueError(
                f"input must have in_features={self.in_features} entries in its last dimension, "
                f"got shape {tuple(input.shape)}."
            )

    def _some_rows(self, input, n_rows, rng):
        return input.reshape(-1, self.in_features)[:n_rows]

    @classmethod
    def from_estimator(cls, estimator: Any, **arguments: Any) -> Self:
        """Layer with the dictionary of an estimator, and by default its prior and transfer.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``components_``, or a :class:`~skdict_sup.SparseCoder`.
        **arguments
            Other arguments of the layer.

        Returns
        -------
        SparseFactorization
            The layer, whose parameters have the dtype of the dictionary unless `dtype` is given.

        Raises
        ------
        TypeError
            If the estimator has no dictionary.
        """
        atoms = atoms_of(estimator)
        n_components, n_features = atoms.shape
        layer = cls(n_features, n_components, **arguments_of(estimator, atoms) | arguments)
        return layer._load(atoms)

    def extra_repr(self) -> str:
        """Arguments, for the printed form of a model."""
        sizes = f"in_features={self.in_features}, n_components={self.n_components}"
        return ", ".join([sizes, *self._arguments()])
