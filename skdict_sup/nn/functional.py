"""`sparse_code`: sparse codes of tensors as a function."""

from numbers import Real

import numpy as np
import torch
from torch import Tensor

from ..priors import KL, ElasticNet, Lp, Prior, as_prior, is_positive, resolve_weights
from ..reconstruction import as_reconstruction
from ._exchange import HALF
from ._hyper_parameters import on_one_device
from ._operators import code_rows, typical_correlation_of_rows
from ._settings import describe, settings_by_name

_DEFAULTS = {"elastic_net": ElasticNet(), "kl": KL()}  # compilers cannot trace as_prior


def sparse_code(
    input: Tensor,
    dictionary: Tensor,
    prior: Prior | str = "elastic_net",
    *,
    transfer: str = "linear",
    solver: str = "auto",
    tol: float | None = None,
    max_iter: int | None = None,
    n_jobs: int | None = None,
) -> Tensor:
    r"""Sparse codes of a tensor over a dictionary, which autograd differentiates.

    .. math:: w(x) = \arg\min_w \; \tfrac12 \|x - w D\|_2^2 + \varphi(w)

    This is :func:`~skdict_sup.encode` for networks: a registered operator of torch, which
    `torch.compile`, `torch.export` and `torch.vmap` handle as one node, and
    :func:`~skdict_sup.code_vjp` as its derivative.

    Parameters
    ----------
    input : Tensor of shape (..., n_features)
        Signals, in float32 or float64; half precision is computed in the dtype of the dictionary.
    dictionary : Tensor of shape (n_components, n_features)
        Atoms as rows, of any norm, in the same dtype.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes. Hyper-parameters that are tensors, as in ``ElasticNet(lam=tensor)``,
        get gradients. "auto" and multiples of lam_max are resolved on the input.
    transfer : {"linear", "softmax"}, default="linear"
        Map from w D to the signals.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or on the optimality residual for smooth priors;
        None means 1e-9 in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations of the solver per signal.
    n_jobs : int or None, default=None
        Number of threads; None uses `torch.get_num_threads`.

    Returns
    -------
    Tensor of shape (..., n_components)
        Codes. They have first derivatives; a second one raises RuntimeError.

    Raises
    ------
    ValueError, TypeError
        If shapes, dtypes or devices do not match, values are not finite, or a parameter is out of
        range.

    See Also
    --------
    SparseFactorization : A layer with a learned dictionary.

    References
    ----------
    P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited supervision",
    2016, equations 5 to 8.

    Examples
    --------
    >>> import torch
    >>> from skdict_sup import ElasticNet
    >>> from skdict_sup.nn import sparse_code
    >>> lam = torch.tensor(1.0, requires_grad=True)
    >>> code = sparse_code(torch.tensor([[3.0, 0.5]]), torch.eye(2), ElasticNet(lam=lam))
    >>> code.detach().round(decimals=3)
    tensor([[2., 0.]])
    >>> code.sum().backward()
    >>> lam.grad
    tensor(-1.)
    """
    _check(input, dictionary)
    if isinstance(prior, str) and prior in _DEFAULTS:
        prior = _DEFAULTS[prior]
    elif not isinstance(prior, ElasticNet | KL | Lp):
        prior = as_prior(prior)
    rows = input.reshape(-1, input.shape[-1]).to(dictionary.dtype)
    values = _numbers(prior, rows, dictionary, as_reconstruction(transfer))
    lengths = {k: None if v.ndim == 0 else v.shape[0] for k, v in values.items()}
    parts = [v.reshape(-1) for v in values.values()]
    weights = torch.cat(on_one_device(parts)) if parts else torch.zeros(0, dtype=torch.float64)
    text = describe(prior, lengths, (transfer, solver, tol, max_iter, n_jobs))
    code = code_rows(rows, dictionary, weights, text)[0]
    return code.reshape(*input.shape[:-1], dictionary.shape[0]).to(input.dtype)


def _check(input, dictionary):
    for name, value in (("input", input), ("dictionary", dictionary)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch tensor, got {type(value).__name__}.")
        if value.dtype not in (torch.float32, torch.float64, *(HALF if name == "input" else ())):
            raise TypeError(f"{name} must be in float32 or float64, got {value.dtype}.")
    if dictionary.ndim != 2 or 0 in dictionary.shape:
        raise ValueError(
            "dictionary must have shape (n_components, n_features), at least (1, 1), got "
            f"{tuple(dictionary.shape)}."
        )
    if input.ndim == 0 or input.shape[-1] != dictionary.shape[1]:
        raise ValueError(
            f"input must have {dictionary.shape[1]} entries in its last dimension, as the "
            f"dictionary has columns, got shape {tuple(input.shape)}."
        )
    if input.dtype != dictionary.dtype and input.dtype not in HALF:
        raise TypeError(
            f"input and dictionary must have the same dtype, got {input.dtype} and "
            f"{dictionary.dtype}."
        )
    if input.device != dictionary.device:
        raise ValueError(
            f"input is on {input.device}, but dictionary is on {dictionary.device}; move one of "
            "them."
        )


def _numbers(prior, rows, dictionary, reconstruction):
    """Hyper-parameters of a prior as float64 tensors by name, with relative ones resolved."""
    settings = settings_by_name(prior)
    relative = {k: v for k, v in settings.items() if isinstance(v, str)}
    if relative:
        with torch.no_grad():
            scale = typical_correlation_of_rows(rows, dictionary, is_positive(prior))
            scale = torch.where(scale > 0, scale, torch.ones_like(scale))
            automatic = reconstruction.automatic(prior.automatic(scale))
            settings = settings | resolve_weights(relative, automatic, scale)
    return {
        name: torch.as_tensor(value, dtype=torch.float64)
        for name, value in settings.items()
        if isinstance(value, Tensor | np.ndarray)
        or (isinstance(value, Real) and not isinstance(value, bool))
    }
