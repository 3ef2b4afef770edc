"""When a pivot counts as zero: one rule for every kernel that factors a Gram matrix."""


def dependence(eps):
    """Smallest pivot, relative to its diagonal entry, of an atom that still counts as independent.

    The squared sine of the atom's angle to the others; 5e-14 in float64, 1.3e-6 in float32:
    above the rounding of a pivot, which is some eps times the number of atoms.
    """
    return eps**0.85
