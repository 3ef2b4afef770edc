"""Judge the claims of `encode` on drawn problems, for as long as one likes.

    python tests/fuzz_claims.py --minutes 60 --seed 0 --processes 1

prints a table of what was claimed and what of it is false, and the seeds of what is; the exit code
is 1 if there are any. `claim_cases.draw(seed)` is the problem of a seed.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "support"))

from claim_cases import CHANGES, draw
from claims import KINDS, Judge, Violation, code_of

from skdict_sup import encode

BOUNDS, OTHER = KINDS[:3], (*KINDS[3:], "error")
COLUMNS = ("signals", "converged", *(f"{kind}: false" for kind in BOUNDS), "slightly", "other")
USUAL = "ordinary", "not converged"


@dataclass
class Tally:
    """Counts by prior, transfer and dtype, and the seeds of what was found by kind."""

    counts: dict = field(default_factory=lambda: defaultdict(Counter))
    seeds: dict = field(default_factory=lambda: defaultdict(set))
    worst: dict = field(default_factory=dict)
    left: set = field(default_factory=set)  # seeds of ordinary problems that are not converged

    def add(self, case, found, violations):
        where = (*case.kind, case.X.dtype.name)
        counts = self.counts[where]
        counts["signals"] += len(case.X)
        if found is not None:
            counts["converged"] += int(found.converged.sum())
            if case.is_ordinary:
                n_left = int((~found.converged).sum())
                counts["ordinary"] += len(case.X)
                counts["not converged"] += n_left
                self.left |= {case.seed} if n_left and case.X.dtype == np.float64 else set()
        for one in violations:
            name = f"{one.kind}: false" if one.kind in BOUNDS else "other"
            counts["slightly" if one.is_slight else name] += 1
            key = one.is_slight, one.kind, *where, case.solver
            self.seeds[key].add(case.seed)
            self._keep_worst(key, case.seed, one)

    def _keep_worst(self, key, seed, one):
        last = self.worst.get(key)
        if last is None or _size(one) > _size(last[1]):
            self.worst[key] = seed, one

    def merge(self, other):
        for where, counts in other.counts.items():
            self.counts[where].update(counts)
        for key, seeds in other.seeds.items():
            self.seeds[key] |= seeds
            self._keep_worst(key, *other.worst[key])
        self.left |= other.left

    def table(self):
        heads = ("prior", "transfer", "dtype", *COLUMNS, *USUAL)
        lines = [heads, ["---"] * 3 + ["---:"] * (len(heads) - 3)]
        total = Counter()
        for where, counts in sorted(self.counts.items()):
            lines.append((*where, *(counts[name] for name in (*COLUMNS, *USUAL))))
            total.update(counts)
        lines.append(("all", "", "", *(total[name] for name in (*COLUMNS, *USUAL))))
        return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)

    def share_left(self):
        """Share of the signals of ordinary float64 problems that are not converged."""
        counts = [one for where, one in self.counts.items() if where[-1] == "float64"]
        n = sum(one["ordinary"] for one in counts)
        return sum(one["not converged"] for one in counts) / max(n, 1)

    def findings(self):
        """A line for each kind of violation, the heavy ones first."""
        for key in sorted(self.seeds):
            slight, *names = key
            seed, one = self.worst[key]
            names = " ".join((*names, "slightly") if slight else names)
            told = f"row {one.row} says {one.claimed:.9g}, is {one.truth:.9g}"
            yield f"- {names}: seed {seed}, {told}; all:"
            yield "  " + " ".join(map(str, sorted(self.seeds[key])))


def _size(violation):
    return violation.truth / (abs(violation.claimed) + np.finfo(np.float64).eps)


def run(first, step, minutes):
    """Tally of the cases first, first + step, and so on."""
    np.seterr(all="ignore")
    tally, end = Tally(), time.monotonic() + 60 * minutes
    for seed in count(first, step):
        if time.monotonic() > end:
            return tally
        case = draw(seed)
        for one in (case, *(made for change in CHANGES if (made := change(case)) is not None)):
            found = None
            try:
                found = code_of(one, encode)
                violations = Judge(one, found).violations
            except Exception as error:
                print(f"{one}: {error!r}", file=sys.stderr)
                violations = [Violation("error", 0, np.nan, np.nan)]
            tally.add(one, found, violations)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0, help="first seed; others count up from it")
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args(arguments)
    step, tally = given.processes, Tally()
    if step == 1:
        tally.merge(run(given.seed, 1, given.minutes))
    else:
        with ProcessPoolExecutor(step) as pool:
            jobs = [pool.submit(run, given.seed + k, step, given.minutes) for k in range(step)]
            for job in jobs:
                tally.merge(job.result())
    print(tally.table())
    print("\nOrdinary problems are those in float64 or float32 with signals of 1e-3 to 1e3, atoms")
    print("that are not degenerate, a weight above zero, and neither max_iter nor a tight tol.")
    print(f"Of those in float64 {tally.share_left():.2%} of the signals are not converged; seeds:")
    print(*sorted(tally.left))
    print("\nFalse claims:" if tally.seeds else "\nNo claim is false.")
    print("\n".join(tally.findings()))
    return int(bool(tally.seeds))


if __name__ == "__main__":
    sys.exit(main())
