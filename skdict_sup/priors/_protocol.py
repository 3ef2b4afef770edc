"""Protocols of priors on the codes: implement `Prior` to add your own.

A prior is phi(w) = sum_j phi_j(w_j), convex, on the codes w of a batch (n_samples, n_components).
`slope` is minus the gradient of the reconstruction term in the code, so that the optimality
condition of a code reads: slope in the subdifferential of phi at w.
"""

from typing import Any, Protocol


class Prior(Protocol):
    """Methods of a prior, all batched over rows and written for any array namespace.

    A prior that is `smooth` is coded by Newton's method, which asks for the methods of
    `SmoothPrior` as well; any other by FISTA, which needs those of `ProximalPrior`.

    It may also have the following, each with a default (see `_questions`):

    - `lam`, its weight: for "auto", for the continuation in lam of Newton's method, and for
      the certificates of least squares, where it is zero; a prior without it counts as one whose
      weight is above zero;
    - `positive`, whether codes are at or above zero; by default False;
    - `convex`; by default True;
    - `get_params()`, the hyper-parameters by name, for "auto" and for numbers of any kind; by
      default there are none, and the object is used unchanged;
    - `check_components(n_components)`, which raises where hyper-parameters do not fit the atoms.
    """

    smooth: bool

    def check(self) -> None:
        """Raise ValueError or TypeError for a hyper-parameter out of range."""

    def value(self, code: Any) -> Any:
        """phi(w), summed over atoms: (n_samples,)."""

    def stationarity(self, code: Any, slope: Any) -> Any:
        """Distance of slope to the subdifferential of phi at w, entry by entry."""

    def dual_scale(self, code: Any, slope: Any) -> Any:
        """Largest s in [0, 1] for which s * slope is dual feasible: (n_samples,).

        It goes with `fenchel_gap`: a prior whose conjugate is finite everywhere may return ones.
        The elastic net counts its ridge as rows appended to the signals, and has another pair.
        """

    def fenchel_gap(self, code: Any, slope: Any, scale: Any) -> Any:
        """phi(w) + phi*(s slope) - s <w, slope>, each term at or above zero: (n_samples,)."""

    def lam_max(self, corr: Any) -> Any:
        """Smallest lam at which the code of signals with these correlations is zero."""

    def automatic(self, scale: float) -> dict[str, float]:
        """Values for the hyper-parameters that may be "auto", given a typical correlation."""
        ...

    def support(self, code: Any) -> Any:
        """Entries that move freely with the data: where phi_j is twice differentiable."""

    def curvature(self, code: Any) -> Any:
        """Second derivative of phi_j on the support.

        A number where it is the same everywhere, else an array that fits code.
        """

    def halves(self, code: Any) -> tuple[Any, Any]:
        """Nonnegative (plus, minus) with w = plus - minus, for signed codes."""
        ...

    def half_slope(self, code: Any) -> Any:
        """Derivative of plus in w, entry by entry; that of minus is one less."""

    def pull_back(self, code: Any, adjoint: Any) -> Any:
        """Gradients for the hyper-parameters: a record with one field for each.

        The entry for h is -<adjoint, d/dh phi'(w)>, summed over the batch.
        """


class ProximalPrior(Prior, Protocol):
    """What FISTA needs in addition."""

    def prox(self, point: Any, step: float) -> Any:
        """argmin_w 1/2 ||w - point||^2 + step * phi(w)."""


class SmoothPrior(Prior, Protocol):
    """What Newton's method needs in addition, entry by entry."""

    def gradient(self, code: Any) -> Any:
        """phi'(w)."""

    def code_at(self, slope: Any) -> Any:
        """The w with phi'(w) = slope, limited to the range of floats."""

    def mobility(self, code: Any) -> Any:
        """1 / phi''(w), zero where that is infinite."""

    def reach(self, mobility: Any) -> Any:
        """Largest magnitude of w up to which phi'' is at least 1 / mobility."""
