"""Ridges of the head, and whether it has a linear path, chosen on held-out samples."""

from dataclasses import replace

import numpy as np

from .._array import take_rows
from .coding_layer import encode
from .data import batch_of
from .head_fit import HeadProblem
from .step import make_head_input, zero_head

N_FOLDS = 4
MIN_TUNED, MAX_TUNED = 20, 10_000  # numbers of samples between which ridges are tuned
_FACTORS = (0.1, 1.0, 10.0, 100.0)  # candidate ridges, relative to that of C=1
_ONLY_LINEAR = 1e4  # factor of the ridge on the codes where the linear path alone is best
_MAX_CODED, _MAX_WITH_PATH = 3000, 1500  # samples, at most, on which ridges are tuned
_MAX_PRODUCTS = 2e6  # multiplications per gradient up to which more folds than one are used
_STOP = {"tol": 1e-6, "max_iter": 100}


def tune_head(parameters, samples, settings, rng, n_folds=N_FOLDS, *, ridge=True, linear=False):
    """Settings with `nu`, `nu_linear` and the linear path chosen, by the loss of the optimal head.

    `ridge` is whether the ridge of the codes is chosen, `linear` whether the linear path is (it
    then has a ridge of its own, as it has with a head that always has one).
    Held out is one of four folds, and `n_folds` of them in turn where that is cheap. Beyond 10 000
    samples nothing is chosen: the more samples, the less the ridges matter.
    """
    n = samples.n_samples
    if not MIN_TUNED <= n <= MAX_TUNED or not (ridge or linear or settings.head.skip):
        return replace(settings, head=replace(settings.head, skip=False)) if linear else settings
    has_path = linear or settings.head.skip
    rows = rng.permutation(n)[: _MAX_WITH_PATH if has_path else _MAX_CODED]
    table = _Table(parameters, samples.subset(np.sort(rows)), settings, rng, n_folds)
    factors = _FACTORS if ridge else (1.0,)
    plain = [(factor, None) for factor in factors]
    if not has_path:
        return table.settings_of(table.best_of(plain)[0])
    best, least = table.best_of(plain) if linear else ((1.0, None), np.inf)
    # first the linear path at the best ridge of the codes, then both ridges around the best pair
    pairs = [(best[0], factor) for factor in _FACTORS]
    pair, loss = table.best_of(pairs)
    if ridge:
        more = [(factor, pair[1]) for factor in factors if factor != best[0]]
        pair, loss = min((pair, loss), table.best_of(more), key=lambda found: found[1])
        alone, loss_alone = table.best_of([(None, factor) for factor in _FACTORS])
        if loss_alone < min(loss, least):
            alone = table.settings_of((_ONLY_LINEAR, alone[1]))
            return replace(alone, linear_path_alone=True)
    return table.settings_of(pair if loss < least else best)


class _Table:
    """Held-out losses of heads for pairs of ridges, on codes that are computed once."""

    def __init__(self, parameters, samples, settings, rng, n_folds):
        self.settings = replace(settings, head=replace(settings.head, skip=True))
        self.samples = samples
        self.code = encode(parameters, batch_of(samples.X, slice(None)), settings).code
        n_outputs = samples.encode_labels(samples.labels[:1]).shape[1]
        self.heads = {
            skip: zero_head(
                parameters["dictionary"], n_outputs, self._with_path(skip), samples.X.shape[1]
            )
            for skip in (False, True)
        }
        products = samples.n_samples * int(np.prod(self.heads[False]["coef"].shape))
        folds = samples.folds(N_FOLDS, rng)
        folds = folds[: n_folds if products <= _MAX_PRODUCTS else 1]
        weight, self.splits = samples.weight, []
        for held_out in folds:
            train = np.setdiff1d(np.arange(samples.n_samples), held_out)
            ratio = float(weight.sum() / weight[train].sum())
            self.splits.append((train, held_out, ratio))
        self.vectors = {}

    def best_of(self, pairs):
        """The pair of factors with the least held-out loss, and this loss."""
        losses = [self.loss(pair) for pair in pairs]
        number = int(np.argmin(losses))
        return pairs[number], losses[number]

    def loss(self, pair):
        """Mean held-out loss for factors of the ridges of codes and signals.

        None in place of a factor leaves out the codes, or the linear path.
        """
        code_factor, linear_factor = pair
        losses = []
        for number, (train, held_out, ratio) in enumerate(self.splits):
            settings = self._with_factors(code_factor, linear_factor, ratio)
            inputs = [self._inputs(rows, settings, code_factor) for rows in (train, held_out)]
            head = dict(self.heads[linear_factor is not None])
            if code_factor is None:
                head["coef"] = head["coef"][:, :0]
            problem = HeadProblem(head, settings)
            key = number, code_factor is None, linear_factor is None
            start = self.vectors.get(key, problem.flatten(head))
            self.vectors[key] = vector = problem.minimize_loss(start, inputs[0], **_STOP)
            losses.append(problem.loss_and_gradients(vector, inputs[1], ridge=False)[0])
        return float(np.mean(losses)) if losses else np.inf

    def settings_of(self, pair):
        """Settings with the ridges of a pair of factors."""
        code_factor, linear_factor = pair
        return self._with_factors(code_factor, linear_factor, 1.0)

    def _with_path(self, skip):
        return replace(self.settings, head=replace(self.settings.head, skip=skip))

    def _with_factors(self, code_factor, linear_factor, ratio):
        settings, nu = self._with_path(linear_factor is not None), ratio * self.settings.nu
        code_nu = nu if code_factor is None else code_factor * nu
        linear_nu = None if linear_factor is None else linear_factor * nu
        return replace(settings, nu=code_nu, nu_linear=linear_nu)

    def _inputs(self, rows, settings, code_factor):
        batch = self.samples.batch(rows)
        inputs = make_head_input(take_rows(self.code, rows), batch, settings)
        if code_factor is not None:
            return inputs
        return replace(inputs, features=inputs.features[:, :0])
