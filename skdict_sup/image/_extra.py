"""Libraries of the extra `image`, loaded at first use."""

from importlib import import_module


def from_skimage(module, needs="skimage"):
    """Load a module of scikit-image, and one that it needs."""
    try:
        import_module(needs)
        return import_module(f"skimage.{module}")
    except ImportError as error:
        raise ImportError(
            "scikit-image and PyWavelets are needed for the quality of images and the estimation "
            'of noise: install them with `pip install "skdict-sup[image]"`.'
        ) from error
