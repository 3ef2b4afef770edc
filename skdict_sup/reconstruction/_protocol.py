"""Protocol of reconstruction terms: what a transfer and its matching loss have to know."""

from collections.abc import Callable
from typing import Any, Protocol

from .._atoms import Atoms
from .._records import Data
from .._signals import Signals


class Reconstruction(Protocol):
    """Loss D_L(x || f(w D)), batched over rows and written for any array namespace.

    `Data` is what is kept of signals. A term sees arrays and atoms, never the prior; `check` and
    `filled` see whole sets of signals, all else batches, which are arrays.
    """

    name: str
    roughness: float  # bound on the second derivative of the loss in w D
    quadratic: bool  # whether the loss is half the squared norm of x - w D

    def check(self, X: Signals) -> None:
        """Raise ValueError for signals that are none of this term's."""
        ...

    def filled(
        self, X: Signals, replacement: Callable[[], Any] | None = None
    ) -> tuple[Signals, int]:
        """Signals with those that are none replaced, and their number."""
        ...

    def prepare(self, atoms: Atoms) -> None:
        """Compute what several threads would ask for at once."""
        ...

    def offset(self, X: Any) -> Any:
        """Part of the loss that no code changes: (n_samples,)."""
        ...

    def in_range(self, data: Data) -> Any:
        """Whether offsets are in the range in which certificates hold: (n_samples,)."""
        ...

    def extent(self, data: Data) -> Any:
        """Sizes of signals, which their rounding is relative to: (n_samples,)."""
        ...

    def reach(self, dictionary: Any) -> Any:
        """How far an entry of one of a code moves what is reconstructed: (n_components,)."""
        ...

    def reconstruct(self, code: Any, atoms: Atoms) -> Any:
        """f(w D): (n_samples, n_features)."""
        ...

    def slope(self, data: Data, code: Any, atoms: Atoms) -> Any:
        """Minus the gradient of the loss in the code: like code."""
        ...

    def value(self, data: Data, code: Any, slope: Any, atoms: Atoms) -> Any:
        """Loss of each code: (n_samples,)."""
        ...

    def fenchel_gap(self, value: Any, scale: Any) -> Any:
        """Fenchel-Young gap of the loss at s times the residual, at or above zero."""
        ...

    def curvatures(self, atoms: Atoms) -> tuple[float, float]:
        """Proven lower bounds on the curvature in the code: everywhere, and within its range."""
        ...

    def product(self, direction: Any, code: Any, atoms: Atoms) -> Any:
        """Hessian in the code times a direction: like code."""
        ...

    def diagonal(self, code: Any, atoms: Atoms) -> Any:
        """Diagonal of the Hessian in the code, or a bound on it: like code, or one row."""
        ...

    def solve(
        self,
        code: Any,
        curvature: Any,
        support: Any,
        rhs: Any,
        atoms: Atoms,
        tol: float | None = None,
    ) -> Any:
        """Solution of (Hessian + diag(curvature)) x = rhs on the support, zero off it."""
        ...

    def vjp(self, X: Any, code: Any, adjoint: Any, atoms: Atoms, n_jobs: int) -> tuple[Any, Any]:
        """Gradients for the dictionary, summed over the batch, and for the signals."""
        ...
