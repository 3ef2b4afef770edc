"""Records of certificates, and the sizes that their rounding errors are relative to."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._array import eps, is_numpy, namespace
from .._atoms import Atoms
from .._records import Rows


@dataclass(frozen=True, eq=False)
class Certificate(Rows):
    """Optimality residual, duality gap and objective of each code."""

    kkt_residual: Any
    duality_gap: Any
    objective: Any


@dataclass(frozen=True, eq=False)
class AtomNorms:
    """Norms of the atoms in the units of a reconstruction term, computed once."""

    reconstruction: Any
    atoms: Atoms

    @property
    def rounding(self):
        """Bound on the relative rounding error of sums over features and atoms."""
        return self.atoms.rounding

    @cached_property
    def norms(self):
        """Change of the reconstruction by an entry of one in the code: (1, n_components)."""
        known, term = self.atoms.reaches, self.reconstruction
        if term not in known:
            dictionary = self.atoms.dictionary
            known[term] = term.reach(dictionary)[None, :] * (1 + 4 * eps(dictionary))
        return known[term]

    @cached_property
    def largest(self):
        """The largest norm, as a 0-d array."""
        return namespace(self.norms).max(self.norms)

    @cached_property
    def are_similar(self):
        """Whether the largest norm can stand for all, which saves a pass over the codes."""
        return is_numpy(self.norms) and bool(self.norms.max() <= 1.5 * self.norms.min())


def extent_of(problem, data, code):
    """||x|| + sum_j |w_j| ||d_j||, the scale of rounding errors: (n_samples,)."""
    return problem.reconstruction.extent(data) + parts_of(problem, data, code)


def parts_of(problem, data, code):
    """sum_j |w_j| ||d_j||, with the weights of entries if there are any: (n_samples,)."""
    xp, norms = namespace(code), problem.atom_norms.norms
    return data.gain * xp.sum(xp.abs(code) * norms, axis=-1)


def longest_of(problem, data):
    """Largest norm of an atom: a 0-d array, or one entry for each signal with weights."""
    return problem.atom_norms.largest * data.gain


def scale_of(objective, data, code, unit):
    """Scale of the relative gaps."""
    xp = namespace(objective)
    bound = xp.maximum(objective, (unit or eps(code)) * data.offset)
    return xp.where(bound > 0, bound, xp.ones_like(bound))
