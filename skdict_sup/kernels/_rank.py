"""The rank decision of every kernel that factors a Gram matrix: when a pivot counts as zero."""


def min_relative_pivot(eps):
    """Smallest pivot, relative to its diagonal entry, of a linearly independent atom.

    A relative pivot is the squared sine of the angle between an atom and the span of the others.
    The limit, 5e-14 in float64 and 1.3e-6 in float32, is above the rounding error of a pivot,
    which is a few eps times the number of atoms.
    """
    return eps**0.85
