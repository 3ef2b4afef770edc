"""Libraries of the extra `image`, loaded at first use."""

from importlib import import_module


def from_skimage(module):
    """Load a module of scikit-image."""
    try:
        return import_module(f"skimage.{module}")
    except ImportError as error:
        raise ImportError(
            "scikit-image is needed for the quality of images and the estimation of noise: "
            'install it with `pip install "skdict-sup[image]"`.'
        ) from error
