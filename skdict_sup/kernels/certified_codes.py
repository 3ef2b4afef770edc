"""Kernel: certificates of float32 codes, and better codes where these are too loose."""

from .._array import astype_like, eps, namespace, rows_times, to_float64
from ._dispatch import kernel
from .support_solve import support_solve

_POLISHED = 0.5  # gaps above this fraction of the tolerance are reduced


@kernel
def certified_codes(
    X, dictionary, gram, corr, code, slope, lam, lam2, positive, tol, is_exact=None
):
    r"""Certificates of elastic-net codes, computed in float64 from arrays in float32.

    Correlations in float32 have rounding errors of the order of the tolerance. Here the residual
    r = x - w D, which is the dual point, its norm, and its correlations with the atoms are
    computed in float64: in the compiled version only for atoms on the support, and for others of
    which float32 cannot tell that they are within their bounds. With u = r D' - lam2 w and the
    largest s in [0, 1] with s u in the dual ball, the duality gap is the sum of Fenchel-Young gaps

    .. math:: (1 - s)^2/2 (\|r\|^2 + lam2 \|w\|^2) + <lam, |w|> - s <w, u>,

    to which a bound on the rounding errors is added.

    Where this is above half the tolerance, the code takes a Newton step on its support, if that
    changes no sign and makes the gap smaller. The dual point is then the residual of the code
    before it is rounded to float32.

    Parameters
    ----------
    X : array (n_samples, n_features)
        Signals. Squares of their norms, and of those of atoms, neither overflow nor underflow.
    dictionary : array (n_components, n_features)
    gram : array (n_components, n_components)
        Inner products of the atoms, of `panel_products`.
    corr : array (n_samples, n_components)
        Inner products of signals and atoms: of `panel_products`, or rounded from float64.
    code, slope : array (n_samples, n_components)
        Codes w, and corr - w gram, summed in float64.
    lam : float, or array (n_components,)
        Positive weights of the l1 norm; those in arrays have been rounded to float32.
    lam2 : float
    positive : bool
    tol : float
        Tolerance on the relative gap.
    is_exact : array of bool (n_samples,) or None
        Which correlations have been rounded from float64; None stands for none.

    Returns
    -------
    code : array (n_samples, n_components)
        The codes, some of them improved.
    kkt_residual : array (n_samples,)
        Bound on the violation of the optimality condition, relative to the largest correlation.
    duality_gap : array (n_samples,)
        Bound on the suboptimality, relative to the objective.
    objective : array (n_samples,)

    References
    ----------
    N. Higham, "Accuracy and stability of numerical algorithms", 2002, chapters 3 and 12.
    """
    xp = namespace(code)
    problem = _Wide(X, dictionary, gram, lam, lam2, positive)
    values = to_float64(code)
    residual, gap, objective, u = problem.measure(values, values, eps(code))
    step = support_solve(problem.gram, float(lam2), code != 0, u - problem.lam * xp.sign(values))
    moved = values + step
    rounded = to_float64(astype_like(moved, code))
    keeps_signs = xp.all((xp.sign(rounded) == xp.sign(values)), axis=1)
    again, less_gap, value, _ = problem.measure(moved, rounded, eps(code))
    is_better = keeps_signs & (gap > _POLISHED * tol) & (less_gap < gap)
    parts = (rounded, values), (again, residual), (less_gap, gap), (value, objective)
    better, *found = (
        xp.where(is_better[:, None] if new.ndim == 2 else is_better, new, old)
        for new, old in parts
    )
    up = 1.0 + 2 * eps(code)  # bounds stay bounds in float32
    found = up * found[0], up * found[1], found[2]
    return tuple(astype_like(array, code) for array in (better, *found))


class _Wide:
    """The problem of a batch in float64."""

    def __init__(self, X, dictionary, gram, lam, lam2, positive):
        xp = namespace(X)
        self.X, self.dictionary, self.gram = map(to_float64, (X, dictionary, gram))
        self.lam = to_float64(lam + xp.zeros_like(dictionary[:, 0]))[None, :]
        is_rounded = not isinstance(lam, float)  # numbers in arrays are, to float32
        self.lam_error = is_rounded * 0.5 * eps(dictionary) * self.lam
        self.lam2, self.positive = lam2, positive
        self.norms = xp.sqrt(xp.vecdot(self.dictionary, self.dictionary, axis=-1))[None, :]

    def measure(self, values, rounded, unit):
        """Residual, relative gap and objective of codes `rounded`, and u.

        The dual points are the residuals of `values`.
        """
        xp, lam, lam2 = namespace(values), self.lam, self.lam2
        rounding = 0.5 * eps(values) * (sum(self.dictionary.shape) + 8)
        residual = self.X - rows_times(values, self.dictionary)
        u = rows_times(residual, self.dictionary.T) - lam2 * values
        squares, sq_norm = (xp.vecdot(a, a, axis=-1) for a in (residual, self.X))
        size = xp.sqrt(sq_norm) + xp.sum(xp.abs(values) * self.norms, axis=1)
        slack = (rounding * (size + xp.sqrt(squares)))[:, None] * self.norms
        change, is_active = xp.abs(rounded - values), values != 0

        bounded = (u if self.positive else xp.abs(u)) + slack
        least = lam - self.lam_error
        is_above = bounded > least
        scale = xp.min(xp.where(is_above, least / xp.where(is_above, bounded, least), 1.0), axis=1)
        slack = slack + self.lam_error
        on_support = xp.abs(u - lam * xp.sign(values)) + slack
        off_support = xp.where(is_above, bounded - least, xp.zeros_like(u))
        violation = xp.max(xp.where(is_active, on_support, off_support), axis=1)
        moved = xp.sum(change * self.norms, axis=1)
        violation = violation + moved * xp.max(self.norms) + lam2 * xp.max(change, axis=1)

        lost = xp.sqrt(squares) + rounding * size
        ridge, penalty = lam2 * xp.sum(values * values, axis=1), xp.sum(lam * abs(rounded), axis=1)
        terms = lam * xp.abs(values) - scale[:, None] * values * u + xp.abs(values) * slack
        terms = terms + lam * (xp.abs(rounded) - xp.abs(values))
        terms = terms - (rounded - values) * u + change * slack
        gap = 0.5 * (1.0 - scale) ** 2 * (lost * lost + ridge) + xp.sum(terms, axis=1)
        gap = gap + 0.5 * (moved * moved + lam2 * xp.sum(change * change, axis=1))
        gap = xp.where(gap > 0, gap, xp.zeros_like(gap)) + rounding * penalty

        image = rows_times(rounded - values, self.dictionary)
        objective = 0.5 * (squares + ridge + xp.vecdot(image, image, axis=-1)) + penalty
        objective = objective + 0.5 * lam2 * xp.sum(change * change, axis=1)
        objective = objective - xp.sum((rounded - values) * u, axis=1)
        largest = xp.maximum(objective, unit * sq_norm)
        gap = gap / xp.where(largest > 0, largest, xp.ones_like(largest))
        corr = rows_times(self.X, self.dictionary.T)
        top = xp.max(xp.abs(corr), axis=1) * (1.0 - unit)
        relative = violation / xp.where(top > 0, top, xp.ones_like(top))
        relative = xp.where(top > 0, relative, xp.where(violation > 0, xp.inf, 0.0))
        is_finite = xp.isfinite(objective) & xp.isfinite(gap)
        return *(xp.where(is_finite, a, xp.inf) for a in (relative, gap, objective)), u
