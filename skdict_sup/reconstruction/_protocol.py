"""Protocol of reconstruction terms: a transfer with its matching loss."""

from collections.abc import Callable
from typing import Any, Protocol

from .._atoms import Atoms
from .._records import Data, Observations
from .._signals import Signals


class Reconstruction(Protocol):
    """Loss D_L(x || f(w D)), batched over rows and written for any array namespace.

    A term sees arrays and atoms, never the prior. `Data` holds the correlations and offsets of a
    batch, and `Observations` its signals; `entry_weight` are the weights of the entries of its
    signals, or None. `check` and `filled` get all signals, the other methods get batches.
    """

    name: str
    smoothness: float  # Lipschitz constant of the gradient of the loss in w D
    quadratic: bool  # whether the loss is half the squared norm of x - w D

    def check(self, X: Signals) -> None:
        """Raise ValueError for signals that this term cannot reconstruct."""
        ...

    def filled(
        self, X: Signals, replacement: Callable[[], Any] | None = None
    ) -> tuple[Signals, int]:
        """Replace invalid signals; return the signals and the number of replaced ones."""
        ...

    def automatic(self, values: dict[str, float]) -> dict[str, float]:
        """Values for "auto" hyper-parameters, given those in units of the signals."""
        ...

    def learning_tol(self, prior: Any) -> float | None:
        """Tolerance of codes that a dictionary is learned from; None for the usual one."""
        ...

    def prepare(self, atoms: Atoms, n_jobs: int = 1) -> None:
        """Compute cached quantities, on some threads, before several threads need them."""
        ...

    def offset(self, X: Observations) -> Any:
        """Part of the loss that does not depend on the code: (n_samples,)."""
        ...

    def in_range(self, data: Data) -> Any:
        """Whether offsets are in the range where certificates are valid: (n_samples,)."""
        ...

    def extent(self, data: Data) -> Any:
        """Magnitudes of the signals, the scale of rounding errors: (n_samples,)."""
        ...

    def reach(self, dictionary: Any) -> Any:
        """Change of the reconstruction by an entry of one in the code: (n_components,)."""
        ...

    def rounding_shares(self, atoms: Atoms) -> tuple[float, float]:
        """Shares of the extent, and of sum_j |w_j| reach_j, in the rounding errors of slopes.

        They are relative to the bound for sums over all features and atoms.
        """
        ...

    def evaluate(self, data: Data, code: Any, atoms: Atoms) -> tuple[Any, Any]:
        """Slope and loss of each code."""
        ...

    def hessian(self, data: Data, code: Any, slope: Any, loss: Any, atoms: Atoms) -> Any:
        """Hessian of the loss at codes, exact or approximate, for Newton's method."""
        ...

    def coarse(self, atoms: Atoms) -> Any:
        """A cheap approximation of the term, with `evaluate` and `hessian`; None if it has none.

        Its codes are where solvers start.
        """
        ...

    def reconstruct(self, code: Any, atoms: Atoms) -> Any:
        """Reconstruction f(w D): (n_samples, n_features)."""
        ...

    def slope(self, data: Data, code: Any, atoms: Atoms) -> Any:
        """Minus the gradient of the loss in the code: like code."""
        ...

    def value(self, data: Data, code: Any, slope: Any, atoms: Atoms) -> Any:
        """Loss of each code: (n_samples,)."""
        ...

    def single(self, atoms: Atoms) -> tuple[Any, Any] | None:
        """The term in single precision, and with single precision in its Hessians alone; or None.

        Solvers reach moderate residuals by the first and try to go on by the second.
        """
        ...

    def exact(self, atoms: Atoms) -> Any:
        """The term with an exact `hessian`, for codes that an approximate one does not lead to."""
        ...

    def fenchel_gap(self, value: Any, scale: Any) -> Any:
        """Fenchel-Young gap of the loss at s times the residual, which is nonnegative."""
        ...

    def curvatures(self, atoms: Atoms, entry_weight: Any) -> tuple[float, float]:
        """Lower bounds on the curvature in the code: in all directions, and in the row space."""
        ...

    def product(self, direction: Any, code: Any, atoms: Atoms, entry_weight: Any) -> Any:
        """Hessian in the code times a direction: like code."""
        ...

    def diagonal(self, code: Any, atoms: Atoms, entry_weight: Any) -> Any:
        """Diagonal of the Hessian in the code, or an upper bound: like code, or one row."""
        ...

    def solve(
        self,
        code: Any,
        curvature: Any,
        support: Any,
        rhs: Any,
        atoms: Atoms,
        entry_weight: Any,
        tol: float | None = None,
    ) -> Any:
        """Solve (Hessian + diag(curvature)) x = rhs on the support, with x = 0 off it."""
        ...

    def vjp(
        self,
        X: Observations,
        code: Any,
        adjoint: Any,
        atoms: Atoms,
        n_jobs: int,
        signals: bool = True,
    ) -> tuple[Any, Any, Any]:
        """Gradients for the dictionary (summed over the batch), signals, and weights of entries.

        The last is None where signals have no weights, and the second may be None without
        `signals`.
        """
        ...

    def loss_vjp(self, X: Observations, code: Any, weight: Any, atoms: Atoms) -> tuple[Any, Any]:
        """Gradients of a weighted sum of losses at fixed codes, for dictionary and signals."""
        ...
