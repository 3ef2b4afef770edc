"""Images: patches, degradations, and estimators that take images and return images."""

from . import degradations
from .dictionary_denoiser import DictionaryDenoiser
from .dictionary_inpainter import DictionaryInpainter
from .patch_features import PatchFeatures
from .patch_regressor import PatchRegressor
from .patches import average_patches, extract_patches

__all__ = [
    "DictionaryDenoiser",
    "DictionaryInpainter",
    "PatchFeatures",
    "PatchRegressor",
    "average_patches",
    "degradations",
    "extract_patches",
]
