"""Protocol of solvers."""

from typing import Any, Protocol

from .._records import Data
from ..problem import Problem
from ..reconstruction import Reconstruction


class Solver(Protocol):
    """A frozen record of settings."""

    @property
    def max_iter(self) -> int | None:
        """Most iterations per signal; None for no practical limit, and a retry of failed codes."""
        ...

    @staticmethod
    def handles(reconstruction: Reconstruction, prior: Any) -> bool:
        """Whether the solver is for problems of these terms."""
        ...

    def codes(
        self, problem: Problem, data: Data, tol: float, init: Any | None = None
    ) -> tuple[Any, Any, Any]:
        """Codes of a slice of the batch, their slopes, and the iterations of each signal.

        The code of a signal must not depend on the other signals beyond rounding.
        """
        ...
