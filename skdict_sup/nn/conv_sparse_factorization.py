"""ConvSparseFactorization: exact sparse codes of patches in place of a convolution."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from .._validation import check_scalar
from ..priors import Prior
from ._exchange import arguments_of, atoms_of
from ._layer import Factorization
from ._patch_operators import code_patches, typical_correlation_of_patches
from ._patches import Geometry, extent_of

Size = int | Sequence[int]


class ConvSparseFactorization(Factorization):
    r"""Sparse codes of all patches of its input, in place of `torch.nn.Conv2d` or `Conv1d`.

    .. math:: w(x_q) = \arg\min_w \; \tfrac12 \|x_q - w D\|_2^2 + \varphi(w)
              \quad \text{for every patch } x_q

    All patches are coded over one dictionary. The shapes of input and output are those of a
    convolution with the same arguments. Patches are coded band by band: at most
    :math:`2^{22}` of their entries are in memory at one time.

    Parameters
    ----------
    in_channels : int
        Number of channels of the input.
    n_components : int
        Number of atoms, the channels of the output.
    kernel_size : int or sequence of int
        Height and width of a patch. One number makes a square patch of images; a sequence of one
        number, such as ``(5,)``, is for one-dimensional signals (N, C, L).
    stride : int or sequence of int, default=1
        Distance of neighbouring patches.
    padding : int, sequence of int, "valid" or "same", default=0
        Number of zeros on each side of the input. "valid" means none; "same" as many as make the
        output as large as the input, for patches of odd size and stride 1.
    dilation : int or sequence of int, default=1
        Distance of neighbouring entries of a patch.
    prior : {"elastic_net", "kl"} or prior object, default="elastic_net"
        Prior on the codes, as in :class:`SparseFactorization`.
    center : bool, default=False
        Whether the mean of each patch is subtracted before it is coded.
    learn_prior : bool or sequence of str, default=False
        Whether hyper-parameters of the prior are learned, as in :class:`SparseFactorization`.
    solver : str, default="auto"
        Solver, as in :func:`~skdict_sup.encode`.
    tol : float or None, default=None
        Tolerance on the relative duality gap, or on the optimality residual for smooth priors;
        None means 1e-9 in float64 and 1e-5 in float32.
    max_iter : int or None, default=None
        Maximum number of iterations of the solver per patch.
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
    dictionary : torch.nn.Parameter of shape (n_components, in_channels * height * width)
        Atoms as rows; ``dictionary.view(n_components, in_channels, height, width)`` are the
        kernels, in the order of ``torch.nn.Conv2d.weight``.
    running_lam_max : Tensor
        Typical largest correlation of a patch with an atom, as in :class:`SparseFactorization`.
    log_lam, log_lam2, log_p : torch.nn.Parameter
        Logarithms of the hyper-parameters named by `learn_prior`.

    See Also
    --------
    SparseFactorization : The same for whole signals.

    References
    ----------
    P. Koch, J. Corso, "Sparse factorization layers for neural networks with limited supervision",
    2016, section 4.2 and equation 9.

    Examples
    --------
    >>> import torch
    >>> from skdict_sup.nn import ConvSparseFactorization
    >>> _ = torch.manual_seed(0)
    >>> layer = ConvSparseFactorization(3, 32, kernel_size=5, padding=2, center=True)
    >>> layer(torch.rand(4, 3, 16, 16)).shape
    torch.Size([4, 32, 16, 16])
    """

    def __init__(
        self,
        in_channels: int,
        n_components: int,
        kernel_size: Size,
        *,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        prior: Prior | str = "elastic_net",
        center: bool = False,
        learn_prior: bool | Sequence[str] = False,
        solver: str = "auto",
        tol: float | None = None,
        max_iter: int | None = None,
        momentum: float = 0.1,
        n_jobs: int | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        self.in_channels = int(check_scalar(in_channels, "in_channels", low=1, integer=True))
        self.n_dims = 1 if isinstance(kernel_size, Iterable) and len(kernel_size) == 1 else 2
        self.kernel_size = _sizes(kernel_size, "kernel_size", self.n_dims, 1)
        self.stride = _sizes(stride, "stride", self.n_dims, 1)
        self.dilation = _sizes(dilation, "dilation", self.n_dims, 1)
        self.padding = self._padding(padding)
        if not isinstance(center, bool):
            raise TypeError(f"center must be True or False, got {center!r}.")
        self.center = center
        super().__init__(
            self.in_channels * int(np.prod(self.kernel_size)),
            n_components,
            prior=prior,
            transfer="linear",
            learn_prior=learn_prior,
            solver=solver,
            tol=tol,
            max_iter=max_iter,
            momentum=momentum,
            n_jobs=n_jobs,
            device=device,
            dtype=dtype,
        )

    def _padding(self, padding):
        """Zeros on each side along each dimension."""
        if not isinstance(padding, str):
            return _sizes(padding, "padding", self.n_dims, 0)
        if padding == "valid":
            return (0,) * self.n_dims
        extents = extent_of(self.kernel_size, self.dilation)
        is_odd = all(extent % 2 for extent in extents)
        if padding != "same" or not is_odd or any(step != 1 for step in self.stride):
            raise ValueError(
                'padding must be a number of zeros, "valid", or with patches of odd size and '
                f'stride 1 "same"; got {padding!r} with kernel_size={self.kernel_size}, '
                f"dilation={self.dilation} and stride={self.stride}."
            )
        return tuple(extent // 2 for extent in extents)

    @property
    def _geometry(self):
        """Geometry of two-dimensional patches; those of one-dimensional signals have height 1."""
        places = self.kernel_size, self.stride, self.padding, self.dilation
        if self.n_dims == 1:
            places = ((neutral, *size) for neutral, size in zip((1, 1, 0, 1), places, strict=True))
        return Geometry(*places, center=self.center)

    def forward(self, input: Tensor) -> Tensor:
        """Codes of all patches.

        Parameters
        ----------
        input : Tensor of shape (N, C, H, W) or (C, H, W); (N, C, L) or (C, L)
            Images, or one-dimensional signals, in the dtype of the dictionary or in half
            precision.

        Returns
        -------
        Tensor of shape (N, n_components, H', W') or without N; (N, n_components, L')
            Codes, in the dtype of the input.

        Raises
        ------
        ValueError, TypeError
            If the number of channels, the dtype or the device does not match, if a patch is larger
            than the padded input, or if the input is not finite.
        """
        self._check_input(input)
        images, geometry = self._as_images(input), self._geometry
        places = geometry.numbers, self.center
        code = self._coded(images, code_patches, typical_correlation_of_patches, *places)
        code = code.squeeze(2) if self.n_dims == 1 else code
        return code.squeeze(0) if input.ndim == self.n_dims + 1 else code

    def _as_images(self, input):
        """Input of any accepted shape as (N, C, H, W)."""
        input = input.unsqueeze(0) if input.ndim == self.n_dims + 1 else input
        return input.unsqueeze(2) if self.n_dims == 1 else input

    def _check_input(self, input):
        super()._check_input(input)
        expected = "(N, C, L) or (C, L)" if self.n_dims == 1 else "(N, C, H, W) or (C, H, W)"
        if input.ndim not in (self.n_dims + 1, self.n_dims + 2):
            raise ValueError(f"input must have shape {expected}, got {tuple(input.shape)}.")
        if input.shape[-self.n_dims - 1] != self.in_channels:
            raise ValueError(
                f"input must have in_channels={self.in_channels} channels, {expected}, got shape "
                f"{tuple(input.shape)}."
            )
        geometry = self._geometry
        extent, padding = geometry.extent[-self.n_dims :], geometry.padding[-self.n_dims :]
        sizes = zip(input.shape[-self.n_dims :], padding, extent, strict=True)
        if any(size + 2 * pad < needed for size, pad, needed in sizes):
            raise ValueError(
                f"kernel_size={self.kernel_size} with dilation={self.dilation} covers {extent} "
                f"entries, more than the input of shape {tuple(input.shape)} has with "
                f"padding={self.padding}."
            )

    def _some_rows(self, input, n_rows, rng):
        geometry, images = self._geometry, self._as_images(input)
        padded = geometry.pad(images)
        n_patches = len(images) * int(np.prod(geometry.output_size(images.shape)))
        share = min(1.0, n_rows / max(1, n_patches))
        parts = [padded.new_empty((0, self.dictionary.shape[1]))]
        for band in geometry.bands(padded.shape):
            rows = geometry.rows(padded[band.pixels])
            kept = rng.permutation(len(rows))[: int(np.ceil(share * len(rows)))]
            parts.append(rows[torch.as_tensor(np.sort(kept), device=rows.device)])
        return torch.cat(parts)[:n_rows]

    @classmethod
    def from_estimator(
        cls, estimator: Any, in_channels: int, kernel_size: Size, **arguments: Any
    ) -> Self:
        """Layer with the dictionary of an estimator of patches, by default with its prior.

        Parameters
        ----------
        estimator : estimator
            A fitted estimator with ``components_``, or a :class:`~skdict_sup.SparseCoder`, whose
            signals are patches in the order (channels, height, width).
        in_channels : int
            Number of channels.
        kernel_size : int or sequence of int
            Height and width of a patch.
        **arguments
            Other arguments of the layer.

        Returns
        -------
        ConvSparseFactorization
            The layer, whose parameters have the dtype of the dictionary unless `dtype` is given.

        Raises
        ------
        TypeError
            If the estimator has no dictionary.
        ValueError
            If its atoms do not have the size of a patch, or if it has another transfer.
        """
        atoms = atoms_of(estimator)
        shared = arguments_of(estimator, atoms)
        if shared.pop("transfer", "linear") != "linear":
            raise ValueError("estimator must have transfer='linear', as the layer has.")
        n_components, n_features = atoms.shape
        layer = cls(in_channels, n_components, kernel_size, **shared | arguments)
        if layer.dictionary.shape[1] != n_features:
            raise ValueError(
                f"estimator must have atoms of in_channels * height * width = "
                f"{layer.dictionary.shape[1]} entries, got {n_features}."
            )
        return layer._load(atoms)

    def extra_repr(self) -> str:
        """Arguments, for the printed form of a model."""
        shown = [f"{self.in_channels}, {self.n_components}, kernel_size={self.kernel_size}"]
        shown.append(f"stride={self.stride}")
        if any(self.padding):
            shown.append(f"padding={self.padding}")
        if any(size != 1 for size in self.dilation):
            shown.append(f"dilation={self.dilation}")
        if self.center:
            shown.append("center=True")
        return ", ".join([*shown, *self._arguments()])


def _sizes(value, name, n_dims, low):
    """Tuple of n_dims integers, from one integer or from a sequence."""
    values = tuple(value) if isinstance(value, Iterable) else (value,) * n_dims
    if len(values) != n_dims:
        raise ValueError(
            f"{name} must be an integer or have {n_dims} integers, as many as kernel_size has "
            f"dimensions, got {value!r}."
        )
    return tuple(int(check_scalar(v, name, low=low, integer=True)) for v in values)
