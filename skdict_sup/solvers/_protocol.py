"""Protocol of solvers."""

from typing import Any, Protocol

from .._records import Data
from ..problem import Problem
from ..reconstruction import Reconstruction


class Solver(Protocol):
    """An algorithm for the sparse-coding problem, as a frozen record of settings."""

    @property
    def max_iter(self) -> int | None:
        """Maximum number of iterations per signal, or None.

        None means a limit that practical problems do not reach, and a retry of failed signals.
        """
        ...

    @staticmethod
    def handles(reconstruction: Reconstruction, prior: Any) -> bool:
        """Whether the solver supports problems of this reconstruction term and prior."""
        ...

    def codes(
        self, problem: Problem, data: Data, tol: float, init: Any | None = None
    ) -> tuple[Any, Any, Any]:
        """Codes of a slice of the batch, their slopes, and the iterations of each signal.

        The code of a signal must not depend on the other signals beyond rounding.
        """
        ...
