"""Protocols of priors on the codes: implement `Prior` to add a custom prior.

A prior is phi(w) = sum_j phi_j(w_j), convex, on the codes w of a batch (n_samples, n_components).
`slope` is minus the gradient of the reconstruction term in the code, so that the optimality
condition of a code reads: slope in the subdifferential of phi at w.
"""

from typing import Any, Protocol


class Prior(Protocol):
    """Methods of a prior, all batched over rows and written for any array namespace.

    Codes of a `smooth` prior are computed by Newton's method, which also needs the methods of
    `SmoothPrior`; codes of other priors by FISTA, which needs those of `ProximalPrior`.

    The following are optional:

    - `lam`, the weight: used for "auto", for the continuation in lam of Newton's method, and for
      the certificates of least squares (lam = 0); by default the weight counts as positive;
    - `positive`, whether codes are nonnegative; by default False;
    - `convex`, whether the prior is convex; by default True;
    - `get_params()`, the hyper-parameters by name, used to resolve "auto" and to convert NumPy
      scalars; by default there are none, and the prior is used unchanged;
    - `check_components(n_components)`, which raises ValueError if hyper-parameters do not match
      the number of atoms.
    """

    smooth: bool

    def check(self) -> None:
        """Raise ValueError or TypeError for an invalid hyper-parameter."""

    def value(self, code: Any) -> Any:
        """Value phi(w), summed over atoms: (n_samples,)."""

    def stationarity(self, code: Any, slope: Any) -> Any:
        """Distance of slope to the subdifferential of phi at w, entry by entry."""

    def dual_scale(self, code: Any, slope: Any) -> Any:
        """Largest s in [0, 1] for which s * slope is dual feasible: (n_samples,).

        It belongs to `fenchel_gap`: a prior whose conjugate is finite everywhere may return ones.
        The elastic net treats its ridge as rows appended to the signals, and uses another pair.
        """

    def fenchel_gap(self, code: Any, slope: Any, scale: Any) -> Any:
        """Gap phi(w) + phi*(s slope) - s <w, slope>, a sum of nonnegative terms: (n_samples,)."""

    def lam_max(self, corr: Any) -> Any:
        """Smallest lam with a zero code, for signals with correlations corr: (n_samples,)."""

    def automatic(self, scale: float) -> dict[str, float]:
        """Values for the hyper-parameters that may be "auto", given a typical correlation."""
        ...

    def support(self, code: Any) -> Any:
        """Mask of the entries where phi_j is twice differentiable and the code is free."""

    def curvature(self, code: Any) -> Any:
        """Second derivative of phi_j on the support.

        A number if it is constant, else an array that broadcasts with code.
        """

    def halves(self, code: Any) -> tuple[Any, Any]:
        """Nonnegative (plus, minus) with w = plus - minus, for signed codes."""
        ...

    def half_slope(self, code: Any) -> Any:
        """Derivative of plus in w, entry by entry; the derivative of minus is one less."""

    def pull_back(self, code: Any, adjoint: Any) -> Any:
        """Gradients for the hyper-parameters: a record with one field for each.

        The field for h is -<adjoint, d/dh phi'(w)>, summed over the batch.
        """


class ProximalPrior(Prior, Protocol):
    """Prior with a proximal map, for FISTA."""

    def prox(self, point: Any, step: float) -> Any:
        """Proximal map, argmin_w 1/2 ||w - point||^2 + step * phi(w)."""


class SmoothPrior(Prior, Protocol):
    """Smooth prior, for Newton's method; all methods act entry by entry."""

    def gradient(self, code: Any) -> Any:
        """Derivative phi'(w)."""

    def code_at(self, slope: Any) -> Any:
        """The w with phi'(w) = slope, clipped to the range of floats."""

    def mobility(self, code: Any) -> Any:
        """Inverse curvature 1 / phi''(w); zero where phi'' is infinite."""

    def reach(self, mobility: Any) -> Any:
        """Largest magnitude of w at which phi''(w) is at least 1 / mobility."""
