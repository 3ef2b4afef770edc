"""`Coded`: what coders return for a slice."""

from dataclasses import dataclass
from typing import Any

from .._records import Rows
from ..certificate import Certificate


@dataclass(frozen=True, eq=False)
class Coded(Rows):
    """Codes with their certificates, and where paths to a limit have ended."""

    code: Any
    certificate: Certificate
    reached: Any = None
