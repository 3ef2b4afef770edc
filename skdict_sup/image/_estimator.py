"""Base class of the estimators of images, and ranges of their parameters."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sklearn.base import BaseEstimator

from .._stored import Stored
from ..estimators._html import HTMLRepresentation
from ..estimators._moving import convert_arrays
from ..estimators._parameters import POSITIVE_INTEGER, Number, check_parameters
from .patches import as_pair


@dataclass(frozen=True)
class Pair:
    """Rule for a positive integer or two of them, optionally None."""

    none: bool = False

    def check(self, value, name, estimator):
        """Raise unless the value is such a size."""
        if not (value is None and self.none):
            as_pair(value, name)


PATCHES = {
    "patch_size": Pair(),
    "stride": Pair(),
    "n_patches": POSITIVE_INTEGER,
    "verbose": Number(low=0, integer=True, switch=True),
}


class ImageEstimator(HTMLRepresentation, Stored, BaseEstimator):
    """Estimator that takes images, and returns images: one, a stack of them, or a list."""

    _ranges: ClassVar[dict[str, Any]]  # rules of its parameters

    def _check_ranges(self):
        """Raise unless the parameters are in range."""
        check_parameters(self, self._ranges)

    def __sklearn_array_api_convert__(self, converter):
        """Copy with converted arrays, a hook of scikit-learn that `to_device` uses too."""
        return convert_arrays(self, converter, {})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
