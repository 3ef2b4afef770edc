"""Changes of settings and what they gain, on the photographs that are held out from training."""

from _image_methods import Patchwise


def _small(size, lam, lam2=0.1, linear=False, n_components=256, max_iter=3, **options):
    """Supervised dictionaries with a short training."""
    regressor = {"lam": lam, "lam2": lam2, "n_components": n_components, "max_iter": max_iter}
    regressor["fit_linear"] = linear
    return Patchwise(
        "supervised", regressor, {"patch_size": size, "n_patches": 60_000, "stride": 2, **options}
    )


def _within(size, gain, level):
    """The same with codes whose residuals are within the noise, in place of weights lam."""
    regressor = {"max_residual": gain * level / 255 * size, "n_components": 256, "max_iter": 3}
    return Patchwise(
        "supervised", regressor, {"patch_size": size, "n_patches": 60_000, "stride": 2}
    )


def _of_blur():
    return {
        "256 atoms of 10 x 10, lam and lam2 0.03, linear, 60,000 patches, 3 epochs": _small(
            *(10, 0.03, 0.03), linear=True
        ),
        "lam and lam2 0.06": _small(10, 0.06, 0.06, linear=True),
        "no linear path": _small(10, 0.03, 0.03),
        "the middle 8 x 8 of patches of 16 x 16": _small(
            *(16, 0.03, 0.03), linear=True, output_patch_size=8
        ),
        "symmetries": _small(10, 0.03, 0.03, linear=True, symmetries=True),
        "twice the patches": _small(10, 0.03, 0.03, linear=True, n_patches=120_000),
        "all patches (stride 1)": _small(10, 0.03, 0.03, linear=True, stride=1),
    }


# by task and level; the first of each is what others are compared with
ATTEMPTS = {
    ("halftone", "Floyd-Steinberg"): {
        "256 atoms of 10 x 10, lam 0.3, 60,000 patches, 3 epochs": _small(10, 0.3),
        "lam 0.15": _small(10, 0.15),
        "lam 0.6": _small(10, 0.6),
        "8 x 8": _small(8, 0.3),
        "12 x 12": _small(12, 0.3),
        "the middle 8 x 8 of patches of 12 x 12": _small(12, 0.3, output_patch_size=8),
        "512 atoms": _small(10, 0.3, n_components=512),
        "twice the patches": _small(10, 0.3, n_patches=120_000),
        "twice the epochs": _small(10, 0.3, max_iter=6),
        "a linear path": _small(10, 0.3, linear=True),
        "equal weights of pixels": _small(10, 0.3, window="equal"),
        "all patches (stride 1)": _small(10, 0.3, stride=1),
        "a second dictionary after the first": _small(10, 0.3, n_stages=2),
    },
    ("denoise", 25): {
        "256 atoms of 10 x 10, lam 0.2, 60,000 patches, 3 epochs": _small(10, 0.2),
        "lam 0.12": _small(10, 0.12),
        "lam 0.3": _small(10, 0.3),
        "8 x 8": _small(8, 0.2),
        "12 x 12": _small(12, 0.2),
        "lam2 0.3": _small(10, 0.2, 0.3),
        "codes within bounds on residuals": _within(10, 1.0, 25),
        "codes within bounds, 1.15 times as large": _within(10, 1.15, 25),
        "twice the patches": _small(10, 0.2, n_patches=120_000),
        "symmetries": _small(10, 0.2, symmetries=True),
        "a linear path": _small(10, 0.2, linear=True),
        "all patches (stride 1)": _small(10, 0.2, stride=1),
        "a second dictionary after the first": _small(10, 0.2, n_stages=2),
    },
    ("deblur", "Gaussian, width 1.6, noise 2"): _of_blur(),
    ("deblur", "box, 9 x 9, noise 2"): _of_blur(),
    ("zoom", 2): {
        "256 atoms of 8 x 8, lam and lam2 0.03, linear, 60,000 patches, 3 epochs": _small(
            *(8, 0.03, 0.03), linear=True
        ),
        "lam and lam2 0.06": _small(8, 0.06, 0.06, linear=True),
        "no linear path": _small(8, 0.03, 0.03),
        "10 x 10": _small(10, 0.03, 0.03, linear=True),
        "the middle 6 x 6 of patches of 10 x 10": _small(
            *(10, 0.03, 0.03), linear=True, output_patch_size=6
        ),
        "symmetries": _small(8, 0.03, 0.03, linear=True, symmetries=True),
        "twice the patches": _small(8, 0.03, 0.03, linear=True, n_patches=120_000),
        "all patches (stride 1)": _small(8, 0.03, 0.03, linear=True, stride=1),
    },
}
