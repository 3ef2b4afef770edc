"""Codes by accelerated proximal gradient (FISTA) with restarts, one matrix product a step."""

from dataclasses import dataclass

from .._array import device_of, eps, namespace, take_rows, to_numpy

_CHECK = 10  # steps between two looks at the duality gap


@dataclass(frozen=True)
class FISTA:
    """First-order solver for priors with a proximal map, and any transfer.

    References
    ----------
    A. Beck, M. Teboulle, "A fast iterative shrinkage-thresholding algorithm", 2009;
    B. O'Donoghue, E. Candes, "Adaptive restart for accelerated gradient schemes", 2015.
    """

    max_iter: int | None = None

    @staticmethod
    def handles(reconstruction, prior):
        """Whether this solver is for such problems."""
        return hasattr(prior, "prox")

    def codes(self, problem, corr, energy, tol, init=None):
        """Codes of a slice, to a relative duality gap of tol."""
        xp = namespace(corr)
        prior, reconstruction = problem.prior, problem.reconstruction
        n = corr.shape[0]
        code = xp.zeros_like(corr) if init is None else prior.prox(init, 0.0)
        bound = reconstruction.roughness * float(xp.linalg.eigvalsh(problem.gram)[-1])
        step = 1.0 / max(bound * (1 + 1e-6), 1e-30)
        point, momentum = code, xp.ones(n, dtype=corr.dtype, device=device_of(corr))
        final, n_iter = [None] * n, [0] * n
        todo = list(range(n))
        limit, rounding = self.max_iter or 100_000, eps(corr)
        for iteration in range(1, limit + 1):
            if not todo:
                break
            slope = reconstruction.slope(corr, point, problem)
            following = prior.prox(point + step * slope, step)
            change = following - code
            # the momentum points uphill: start it again, signal by signal
            uphill = xp.sum((point - following) * change, axis=1) > 0
            grown = xp.where(
                uphill, xp.ones_like(momentum), 0.5 * (1 + xp.sqrt(1 + 4 * momentum**2))
            )
            weight = xp.where(uphill, xp.zeros_like(momentum), (momentum - 1) / grown)
            point, code, momentum = following + weight[:, None] * change, following, grown
            if iteration % _CHECK and iteration < limit:
                continue
            slope = reconstruction.slope(corr, code, problem)
            gap = problem.certificate(corr, energy, code, slope).duality_gap
            # a step below rounding: these floats get no further
            resting = xp.max(xp.abs(change), axis=1) <= rounding * xp.max(xp.abs(code), axis=1)
            done = to_numpy((gap <= tol) | resting) | (iteration == limit)
            for row in done.nonzero()[0]:
                final[todo[row]] = (code[int(row), :], slope[int(row), :])
                n_iter[todo[row]] = iteration
            left = (~done).nonzero()[0]
            if len(left) < len(todo):
                todo = [todo[row] for row in left]
                corr, energy, code, point, momentum = (
                    take_rows(part, left) for part in (corr, energy, code, point, momentum)
                )
        code, slope = (xp.stack([pair[i] for pair in final], axis=0) for i in (0, 1))
        return code, slope, n_iter
