"""The linear transfer with its matching loss, 1/2 ||x - w D||^2."""

from dataclasses import dataclass

from .._array import namespace


@dataclass(frozen=True)
class Linear:
    """Squared loss on the reconstruction w D, stated through Gram matrix and correlations."""

    def slope(self, corr, code, gram):
        """Minus the gradient in the code: (x - w D) D' = corr - w G."""
        return corr - code @ gram

    def value(self, energy, corr, code, slope):
        """Loss of each code, from squared norms and correlations: (n_samples,)."""
        xp = namespace(code)
        squares = energy - xp.sum(code * (corr + slope), axis=-1)
        return 0.5 * xp.maximum(squares, xp.zeros_like(squares))

    def fenchel_gap(self, value, scale):
        """Fenchel-Young gap of the loss at s times the residual: (1 - s)^2 times the loss."""
        return (1.0 - scale) ** 2 * value
