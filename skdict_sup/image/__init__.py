"""Images: patches, degradations, and estimators that take images and return images."""

from . import degradations
from .dictionary_denoiser import DictionaryDenoiser
from .dictionary_inpainter import DictionaryInpainter
from .patch_regressor import PatchRegressor
from .patches import average_patches, extract_patches

__all__ = [
    "DictionaryDenoiser",
    "DictionaryInpainter",
    "PatchRegressor",
    "average_patches",
    "degradations",
    "extract_patches",
]
