"""Ranges of parameters as tables of rules, and the function that checks them.

A table maps names of parameters to rules; a rule has `check(value, name, estimator)`, which raises
an error with the name of the parameter, its value and what is expected.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from .._threads import effective_n_jobs
from .._validation import check_option, check_scalar

MOST_COMPONENTS = 32_768  # a Gram matrix of 8 GiB in float64


@dataclass(frozen=True)
class Number:
    """Rule for a number in [low, high], or (low, high] if strict; optionally a name or None.

    `high` may be the name of an attribute of the estimator, which `also` describes in words.
    """

    low: float = -math.inf
    high: float | str = math.inf
    strict: bool = False
    integer: bool = False
    names: tuple = ()
    none: bool = False
    switch: bool = False  # whether True and False are allowed too
    also: str = ""

    def check(self, value, name, estimator):
        """Raise unless the value is in range."""
        if (value is None and self.none) or (self.switch and isinstance(value, bool | np.bool_)):
            return
        if isinstance(value, str) and value in self.names:
            return
        high = getattr(estimator, self.high) if isinstance(self.high, str) else self.high
        words = [self.also] if self.also else []
        if self.names:
            words.append("or " + " or ".join(map(repr, sorted(self.names))))
        if self.none:
            words.append("or None")
        bounds = {"low": self.low, "high": high, "strict": self.strict, "integer": self.integer}
        try:
            check_scalar(value, name, also=" ".join(words), **bounds)
        except TypeError as error:
            if self.names and isinstance(value, str):  # another name has the right type
                raise ValueError(str(error)) from None
            raise


@dataclass(frozen=True)
class Option:
    """Rule for one of some names, or None if allowed."""

    names: Collection  # a mapping of names, too, to which users may add their own
    none: bool = False

    def check(self, value, name, estimator):
        """Raise unless the value is one of the names."""
        if not (value is None and self.none):
            check_option(value, name, set(self.names))


@dataclass(frozen=True)
class Switch:
    """Rule for True or False, or one of some names."""

    names: tuple = ()

    def check(self, value, name, estimator):
        """Raise unless the value is True, False or one of the names."""
        if isinstance(value, bool | np.bool_) or (isinstance(value, str) and value in self.names):
            return
        also = "".join(f", or {other!r}" for other in self.names)
        raise TypeError(f"{name} must be True or False{also}, got {value!r}.")


@dataclass(frozen=True)
class Function:
    """Rule for a callable or None."""

    def check(self, value, name, estimator):
        """Raise unless the value can be called."""
        if isinstance(value, type):
            raise TypeError(
                f"{name} must be a callable (X, rng) -> X or None, got the class "
                f"{value.__name__}; pass an object of it: {name}={value.__name__}(...)."
            )
        if value is not None and not callable(value):
            raise TypeError(f"{name} must be a callable or None, got {value!r}.")


@dataclass(frozen=True)
class Threads:
    """Rule for a number of threads, as in joblib, or None."""

    def check(self, value, name, estimator):
        """Raise unless the value is a valid number of threads."""
        effective_n_jobs(value)


@dataclass(frozen=True)
class FractionSchedule:
    """Rule for a number in [0, 1], a sequence of them, or a function of progress to them."""

    def check(self, value, name, estimator):
        """Raise unless all the numbers are in range."""
        values: Any = [value(t) for t in (0.0, 0.5, 1.0)] if callable(value) else value
        values = values if isinstance(values, list | tuple | np.ndarray) else [values]
        numbers = [isinstance(v, Real) and not isinstance(v, bool) for v in values]
        if not (all(numbers) and len(values) and all(0 <= v <= 1 for v in values)):
            kind = ValueError if all(numbers) else TypeError
            raise kind(
                f"{name} must be a number in [0, 1], a sequence of such numbers or a function of "
                f"the progress in [0, 1] to them, got {value!r}."
            )


POSITIVE_INTEGER = Number(low=1, integer=True)

LIMITS = {
    "max_residual": Number(low=0.0, none=True),
    "max_nonzeros": Number(low=1, integer=True, none=True),
}
# parameters of coding, not of learning: also checked before codes are computed
RUNNING = {
    "n_jobs": Threads(),
    "split_sign": Switch(),
    "verbose": Number(low=0, integer=True, switch=True),
    "allow_nan": Switch(),
} | LIMITS
OUTPUT = {"output": Option(("dense", "sparse"))}
LEARNING = {
    "n_components": Number(low=1, high=MOST_COMPONENTS, integer=True),
    "max_iter": POSITIVE_INTEGER,
}
FROM_START = {
    "init_max_iter": Number(low=0, integer=True, names=("auto",)),
    "batch_size": Number(low=1, integer=True, names=("auto",)),
    "warm_start": Switch(),
}
SUPERVISED = (
    RUNNING
    | LEARNING
    | FROM_START
    | {
        "tol": Number(low=0.0),
        "positive_dictionary": Switch(),
        "early_stopping": Switch(),
        "nu": Number(low=0.0, names=("auto",)),
        "learning_rate": Number(low=0.0, strict=True, names=("auto", "mairal")),
        "mu": FractionSchedule(),
        "fit_linear": Switch(("auto",)),
        "fit_offset": Switch(("auto",)),
        "standardise": Switch(("auto",)),
        "dropout": Number(low=0.0, high=0.99),
        "head": Option(("linear", "bilinear")),
        "n_projected": Number(
            low=1,
            high="n_features_in_",
            integer=True,
            none=True,
            also="(the number of features)",
        ),
        "validation_fraction": Number(low=0.0, high=1.0, strict=True),
        "n_iter_no_change": POSITIVE_INTEGER,
        "augment": Function(),
    }
)


def check_parameters(estimator, table):
    """Raise unless the parameters in a table of rules are in range."""
    for name, rule in table.items():
        rule.check(getattr(estimator, name), name, estimator)
