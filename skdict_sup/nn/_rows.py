"""Codes of rows and their gradients, as the operators of this package compute them."""

import torch

from .._array import as_numpy_view, from_numpy_view
from .._signals import Dense
from .._threads import one_blas_thread
from .._validation import ConvergenceWarning, non_finite_rows, warn
from ..execution import solve
from ..implicit import vjp_by_slices
from ._settings import n_jobs_of, option, packed_gradients, problem_of, solver_of

MAX_ROWS = 1024  # signals of a batch that the typical correlation is computed from

_MANY = 16  # codes that are hardly all zero by chance
_reported = set()  # settings, with categories of warnings that they have led to


class Input(Dense):
    """Rows of the input of a layer; messages name it as such."""

    name = "input"


class Coding:
    """A problem on the tensors of an operator; rows may arrive in several parts.

    Tensors in host memory are computed on as NumPy arrays, and their gradients are returned as
    tensors.
    """

    def __init__(self, dictionary, weights, text, gram=None):
        self.dictionary, self.weights, self.text = dictionary.detach(), weights, text
        self.problem = problem_of(text, weights, self.dictionary, gram)
        self.n_rows, self.n_failed, self.is_zero = 0, 0, True

    @property
    def gram(self):
        """Gram matrix of the atoms; an empty tensor if gradients do not need it."""
        like = self.dictionary
        if option(self.text, "transfer") != "linear":
            return like.new_empty(0)
        return from_numpy_view(self.problem.gram, like).clone()

    def _signals(self, rows):
        return self.problem.filled(Input(as_numpy_view(rows.detach().contiguous())))[0]

    def encode(self, rows):
        """Codes and objectives of rows."""
        problem, X = self.problem, Input(as_numpy_view(rows.detach().contiguous()))
        problem.reconstruction.check(X)
        solver, options = solver_of(self.text, problem)
        with without_autocast(rows):
            solution = solve(problem, problem.filled(X)[0], solver, warns=False, **options)
        self.n_rows += X.shape[0]
        # codes of elastic nets that have left zero took steps
        self.is_zero = self.is_zero and not solution.n_iter.any() and bool(rows.any())
        self.n_failed += int((~solution.converged).sum())
        return tuple(from_numpy_view(a, rows) for a in (solution.code, solution.objective))

    def report(self):
        """Warn, once for the same settings, of codes that are all zero or have not converged."""
        p, m = self.dictionary.shape
        subject = f"codes of a sparse factorization layer ({p} atoms of {m} entries)"
        if self.n_failed:
            self._warn(
                f"{self.n_failed} of {self.n_rows} {subject} have not converged; increase "
                "max_iter, tol or lam2, or try another solver. This is reported once.",
                ConvergenceWarning,
            )
        if self.is_zero and self.n_rows >= _MANY:
            self._warn(
                f"all {self.n_rows} {subject} are zero, and so is their gradient: lam is at least "
                "the largest correlation of a signal with an atom. Use a smaller lam, or one that "
                "is relative to the signals, such as '0.2*lam_max'. This is reported once."
            )

    def _warn(self, message, category=UserWarning):
        if (self.text, category) not in _reported:
            _reported.add((self.text, category))
            warn(message, category)

    @one_blas_thread()
    def vjp(self, rows, code, grad_code, grad_objective):
        """Gradients for rows, dictionary and hyper-parameters, from those for codes.

        Those from objectives are at fixed hyper-parameters.
        """
        X, problem = self._signals(rows), self.problem
        code, grad_code, grad_objective = (
            None if a is None else as_numpy_view(a.detach().contiguous())
            for a in (code, grad_code, grad_objective)
        )
        parts, grad_weights = [], torch.zeros_like(self.weights)
        with without_autocast(rows):
            if grad_code is not None:
                found = vjp_by_slices(problem, X, code, grad_code, n_jobs_of(self.text))
                parts.append((found.X, found.dictionary))
                grad_weights = packed_gradients(self.text, found.prior, self.weights)
            if grad_objective is not None:
                parts.append(problem.objective_vjp(X.dense(), code, grad_objective)[::-1])
        sums = (pair[0] + pair[1] if pair[1:] else pair[0] for pair in zip(*parts, strict=True))
        grad_rows, grad_dictionary = (from_numpy_view(a, rows) for a in sums)
        if grad_code is not None:
            _pass_on_nan(torch.as_tensor(grad_code), grad_rows, grad_dictionary, grad_weights)
        return grad_rows, grad_dictionary, grad_weights


def _pass_on_nan(grad_code, grad_rows, grad_dictionary, grad_weights):
    """Make gradients NaN that depend on a NaN: solvers may drop it, and scalers look for it."""
    if not bool(torch.isnan(grad_code.sum())):
        return
    is_nan = torch.isnan(grad_code).any(dim=1)
    if bool(is_nan.any()):
        grad_rows[is_nan] = torch.nan
        grad_dictionary.fill_(torch.nan)
        grad_weights.fill_(torch.nan)


def without_autocast(like):
    """Context in which matrix products of torch keep the dtype of their arguments."""
    return torch.autocast(like.device.type, enabled=False)


def check_dictionary(dictionary):
    """Raise ValueError unless a dictionary is finite."""
    if len(non_finite_rows(as_numpy_view(dictionary.detach()))):
        raise ValueError(
            "dictionary must be finite, got NaN or infinity: if training has diverged, reduce "
            "the learning rate or clip the gradients."
        )


def fake_gram(dictionary, text):
    """Tensor in the shape of `Coding.gram`."""
    p = dictionary.shape[0]
    return dictionary.new_empty((p, p) if option(text, "transfer") == "linear" else (0,))


def typical_correlation(rows, dictionary, positive):
    """Median of the largest correlations of nonzero rows with an atom; zero if all rows are."""
    with without_autocast(rows):
        corr = rows @ dictionary.T
    tops = (corr if positive else corr.abs()).amax(dim=1).clamp(min=0.0)
    # signals that are not finite are refused when they are coded, and move no scale before
    tops = tops[(tops > 0) & tops.isfinite()].sort().values
    return tops[len(tops) // 2].clone() if len(tops) else dictionary.new_zeros(())
