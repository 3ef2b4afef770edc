"""Kernel: codes of a batch for the KL prior and the linear transfer."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from .._array import device_of, eps, namespace, rows_times
from .._entropy import RelativeEntropy
from .._newton import is_stalled, start, step
from .._records import Data, iterate
from ._dispatch import kernel
from .support_solve import support_solve


@kernel
def kl_codes(gram, dictionary, corr, sq_norm, lam, mean, positive, tol, init, max_iter):
    r"""Codes argmin_w 1/2 w'G w - <corr, w> + phi(w), phi'(w) = lam log(w/p) or lam arcsinh(w/2p).

    Newton's method in the dual variable s = phi'(w). `_newton` states the algorithm; this is its
    special case for a Gram matrix.

    Parameters
    ----------
    gram : array (n_components, n_components)
        Inner products of the atoms.
    dictionary : array (n_components, n_features)
        The atoms, whose products take the place of those with the Gram matrix where that is
        quicker.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms.
    sq_norm : array (n_samples,)
        Squared norms of the signals.
    lam : float
    mean : array (n_components,) or (1,)
        Prior mean p.
    positive : bool
        Whether w >= 0 (the logarithm), or signed (arcsinh).
    tol : float
        Largest |slope - phi'(w)|, relative to the largest |corr| of the signal (absolute where
        that is zero). Entries w >= 0 that underflow count only if slope is above phi' there.
    init : array like corr
        Codes to start from.
    max_iter : int
        Maximum number of steps for each signal.

    Returns
    -------
    code : array (n_samples, n_components)
    slope : array (n_samples, n_components)
        corr - code G.
    n_iter : int array (n_samples,)

    References
    ----------
    D. Bradley, J. Bagnell, "Differentiable sparse coding", 2008, equation 6 and appendix B.
    """
    xp = namespace(corr)
    problem = _GramProblem(gram, EntropyPrior(lam, mean, positive))
    state, n_iter = iterate(
        start(problem, Data(corr, sq_norm), xp.abs(init) if positive else init),
        partial(step, problem),
        # the stop test of `solvers._iterate`, for this prior
        lambda state: (state.kkt_residual <= tol) | is_stalled(state),
        max_iter,
    )
    return state.code, state.slope, xp.asarray(n_iter, dtype=xp.int64, device=device_of(corr))


@dataclass(frozen=True, eq=False)
class EntropyPrior(RelativeEntropy):
    """The KL prior with parameters given as arrays."""

    lam: Any
    p: Any
    positive: bool
    least: float = 0.0

    def mean(self, like):
        """Prior mean."""
        return self.p

    def zero_threshold(self, code):
        """Magnitude up to which entries of a code count as zero."""
        return max(self.least, super().zero_threshold(code))


@dataclass(frozen=True, eq=False)
class _GramProblem:
    """The sparse-coding problem of the linear transfer, in terms of the Gram matrix."""

    gram: Any
    prior: Any
    is_quadratic = True
    tol = 0.0  # its systems are solved directly

    def evaluate(self, data, code):
        """Slope and loss of codes."""
        xp, slope = namespace(code), data.corr - rows_times(code, self.gram)
        squares = data.offset - xp.sum(code * (data.corr + slope), axis=1)
        return slope, 0.5 * xp.maximum(squares, xp.zeros_like(squares))

    def eps(self, code):
        """Machine epsilon of slopes and losses."""
        return eps(code)

    def penalty(self, code, slope):
        """Violations of the optimality condition (n_samples,), and values of the prior."""
        violation = self.prior.stationarity(code, slope)
        return namespace(code).max(violation, axis=1), self.prior.value(code)

    def curvature(self, code):
        """Second derivative of the prior, and its support."""
        return self.prior.curvature(code), self.prior.support(code)

    def hessian(self, data, code, slope, loss):
        """Hessian of the loss: the Gram matrix, whatever the codes."""
        return self

    @property
    def diagonal(self):
        """Diagonal of the Hessian."""
        return namespace(self.gram).linalg.diagonal(self.gram)[None, :]

    def product(self, direction):
        """Hessian times a direction."""
        return rows_times(direction, self.gram)

    def solve(self, curvature, support, rhs, tol):
        """Solution of Newton's equation on the support."""
        return support_solve.reference(self.gram, curvature, support, rhs)
