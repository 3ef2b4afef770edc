"""Degradations of images: halftones, blur, lower resolution, noise, and missing pixels.

An image has shape (height, width) or (height, width, channels), and its dtype tells its scale:
floats for [0, 1], uint8 for 0..255. It may be an array of any library, on any device: it is copied
to host memory, and the result has its library and device.
"""

import numpy as np
from scipy import ndimage

from .._array import to_numpy
from .._typing import Array, Rng
from .._validation import check_matrix, check_option, check_scalar
from ..kernels import error_diffusion
from ._images import (
    channelwise,
    check_image,
    check_shape,
    float_image,
    like_image,
    make_rng,
    mask_like,
    one_of,
    to_host,
    white_of,
)
from ._pillow import resized

__all__ = ["add_noise", "blur", "enlarge", "floyd_steinberg", "random_mask", "reduce"]

_MODES = (
    *("reflect", "mirror", "nearest", "wrap", "constant"),
    *("grid-mirror", "grid-wrap", "grid-constant"),
)
_MOST_COUNTS = 1e15  # NumPy draws counts below 2**63, floats hold integers up to 2**53


def floyd_steinberg(image: Array, rng: Rng = None) -> Array:
    r"""Halftone of an image by error diffusion: all pixels become black or white.

    Pixels are visited row by row from the top, each from the left. A pixel of at least half of the
    range becomes white, the others black, and 7/16, 3/16, 5/16 and 1/16 of the error go to the
    pixels on its right and below it: left, middle and right. What would leave the image is
    dropped. Colour images are processed channel by channel.

    Parameters
    ----------
    image : array (height, width) or (height, width, channels)
        Floats in [0, 1], or uint8 in 0..255.
    rng : Generator, int or None, default=None
        Ignored: the result is deterministic.

    Returns
    -------
    array, like the image
        Its pixels are 0 and 1, or 0 and 255 for uint8.

    References
    ----------
    R. Floyd, L. Steinberg, "An adaptive algorithm for spatial greyscale", 1976.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import floyd_steinberg
    >>> floyd_steinberg(np.full((3, 6), 0.5))
    array([[1., 0., 1., 0., 1., 0.],
           [0., 1., 0., 1., 0., 1.],
           [1., 0., 1., 0., 1., 0.]])
    """
    image = check_image(image)
    white = white_of(image)
    # float32 images are processed as such, so that no copy is needed
    values = to_host(image) / white if white == 255 else to_numpy(image)
    low, high = values.min(), values.max()
    if low < 0 or high > 1:
        raise ValueError(
            "image must hold values in [0, 1] if they are floats, got values from "
            f"{low:.4g} to {high:.4g}; divide them by the value of white, or clip them."
        )
    halftone = error_diffusion(values[:, :, None] if values.ndim == 2 else values)
    return like_image(halftone.reshape(values.shape) * white, image)


def blur(
    image: Array,
    rng: Rng = None,
    *,
    sigma: float | None = None,
    size: int | None = None,
    kernel: Array | None = None,
    mode: str = "reflect",
) -> Array:
    r"""Convolution of an image with a Gaussian, a box or any kernel.

    Exactly one of sigma, size and kernel must be given. Each channel is blurred by itself, in
    float64.

    Parameters
    ----------
    image : array (height, width) or (height, width, channels)
        Floats in [0, 1], or uint8 in 0..255.
    rng : Generator, int or None, default=None
        Ignored: the result is deterministic.
    sigma : float or None, default=None
        Standard deviation >= 0 of a Gaussian in pixels, which is cut off at 4 sigma.
    size : int or None, default=None
        Side of a box of size x size pixels. That of an even size extends one pixel more to the
        top and to the left.
    kernel : array (n_rows, n_columns) or None, default=None
        Weights k of the convolution :math:`\sum_{ab} k_{ab} x_{i-a, j-b}`, where a and b are zero
        at the position (n_rows // 2, n_columns // 2). Divide them by their sum to keep the
        brightness.
    mode : str, default="reflect"
        How the image continues beyond its edges, as in `scipy.ndimage`: "reflect" (dcba|abcd|dcba,
        the same as "grid-mirror"), "mirror" (dcb|abcd|cba), "nearest" (aaa|abcd|ddd), "wrap"
        (abcd|abcd|abcd, the same as "grid-wrap"), or "constant" (black, the same as
        "grid-constant").

    Returns
    -------
    array, like the image
        Rounded and clipped to 0..255 for uint8.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import blur
    >>> image = np.zeros((5, 5))
    >>> image[2, 2] = 0.9
    >>> blur(image, size=3).round(2)
    array([[0. , 0. , 0. , 0. , 0. ],
           [0. , 0.1, 0.1, 0.1, 0. ],
           [0. , 0.1, 0.1, 0.1, 0. ],
           [0. , 0.1, 0.1, 0.1, 0. ],
           [0. , 0. , 0. , 0. , 0. ]])
    """
    image = check_image(image)
    one_of(sigma=sigma, size=size, kernel=kernel)
    check_option(mode, "mode", _MODES)
    values = to_host(image)
    if sigma is not None:
        check_scalar(sigma, "sigma", low=0)
        blurred = channelwise(lambda x: ndimage.gaussian_filter(x, sigma, mode=mode), values)
    elif size is not None:
        check_scalar(size, "size", low=1, integer=True)
        blurred = channelwise(lambda x: ndimage.uniform_filter(x, size, mode=mode), values)
    else:
        weights = to_numpy(check_matrix(kernel, "kernel")).astype(np.float64)
        blurred = channelwise(lambda x: ndimage.convolve(x, weights, mode=mode), values)
    return like_image(blurred, image)


def reduce(image: Array, rng: Rng = None, *, factor: int) -> Array:
    r"""Smaller image, by bicubic interpolation with antialiasing.

    This is the degradation of papers on super-resolution. Pillow computes it in single precision,
    with the cubic kernel (a = -1/2) of `imresize` in MATLAB stretched by the factor. The weights
    that fall on pixels within the image are divided by their sum, where MATLAB mirrors the image:
    results differ near the edges.

    Parameters
    ----------
    image : array (height, width) or (height, width, channels)
        Floats in [0, 1], or uint8 in 0..255. Height and width must be multiples of the factor.
    rng : Generator, int or None, default=None
        Ignored: the result is deterministic.
    factor : int
        How many times smaller height and width become.

    Returns
    -------
    array (height / factor, width / factor[, channels]), like the image
        Rounded and clipped to 0..255 for uint8. Floats may leave [0, 1] beside sharp edges.

    See Also
    --------
    enlarge : Larger image, by bicubic interpolation.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import reduce
    >>> image = np.tile(np.arange(0, 240, 10, dtype=np.uint8), (6, 1))
    >>> reduce(image, factor=3)
    array([[ 11,  39,  70, 100, 130, 160, 191, 219],
           [ 11,  39,  70, 100, 130, 160, 191, 219]], dtype=uint8)
    """
    image = check_image(image)
    check_scalar(factor, "factor", low=1, integer=True)
    height, width = image.shape[:2]
    if factor > min(height, width):
        raise ValueError(
            f"factor must be at most the smaller side of the image, {min(height, width)}, got "
            f"{factor}."
        )
    if height % factor or width % factor:
        crop = f"image[:{height - height % factor}, :{width - width % factor}]"
        raise ValueError(
            f"image must have a height and a width that are multiples of factor={factor}, got "
            f"{height} x {width}; crop it to {crop}."
        )
    return resized(image, height // factor, width // factor)


def enlarge(image: Array, *, factor: int) -> Array:
    r"""Larger image, by bicubic interpolation: what restoring a reduced image is compared with.

    Pillow computes it in single precision, with the kernel of `reduce`.

    Parameters
    ----------
    image : array (height, width) or (height, width, channels)
        Floats in [0, 1], or uint8 in 0..255.
    factor : int
        How many times larger height and width become.

    Returns
    -------
    array (height * factor, width * factor[, channels]), like the image
        Rounded and clipped to 0..255 for uint8. Floats may leave [0, 1] beside sharp edges.

    See Also
    --------
    reduce : Smaller image, by bicubic interpolation with antialiasing.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import enlarge
    >>> enlarge(np.array([[0, 100, 200]], dtype=np.uint8), factor=2)
    array([[  0,  17,  71, 129, 183, 209],
           [  0,  17,  71, 129, 183, 209]], dtype=uint8)
    """
    image = check_image(image)
    check_scalar(factor, "factor", low=1, integer=True)
    return resized(image, image.shape[0] * factor, image.shape[1] * factor)


def add_noise(
    image: Array, rng: Rng, *, sigma: float | None = None, peak: float | None = None
) -> Array:
    r"""Image with Gaussian noise, or with Poisson noise.

    Exactly one of sigma and peak must be given. Values are not clipped, because that would bias
    them; the result is therefore always floating point.

    Parameters
    ----------
    image : array (height, width) or (height, width, channels)
        Floats in [0, 1], or uint8 in 0..255.
    rng : Generator, int or None
        Source of the noise: a generator, or a seed.
    sigma : float or None, default=None
        Standard deviation of Gaussian noise, on the scale of the image.
    peak : float or None, default=None
        Expected count at a white pixel: counts are drawn from Poisson distributions whose means
        are peak times the image over white, and returned on the scale of the image.

    Returns
    -------
    array, like the image
        Of its dtype; float64 values on the scale of 0..255 for uint8 (float32 on devices without
        float64).

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import add_noise
    >>> image = np.full((100, 100), 100, dtype=np.uint8)
    >>> noisy = add_noise(image, 0, sigma=20)
    >>> print(noisy.dtype, noisy.mean().round(), noisy.std().round())
    float64 100.0 20.0
    """
    image = check_image(image)
    one_of(sigma=sigma, peak=peak)
    generator, values = make_rng(rng), to_host(image)
    if peak is None:
        check_scalar(sigma, "sigma", low=0)
        noisy = values + sigma * generator.standard_normal(values.shape)
    else:
        check_scalar(peak, "peak", low=0, strict=True)
        white = white_of(image)
        counts = generator.poisson(_expected_counts(values * (peak / white)))
        noisy = counts / peak * white
    return like_image(noisy, float_image(image))


def _expected_counts(counts):
    """Return the means of Poisson distributions, or raise ValueError."""
    if counts.min() < 0:
        raise ValueError(
            "image must be >= 0 for Poisson noise, got values below; clip it, or use sigma."
        )
    if counts.max() > _MOST_COUNTS:
        raise ValueError(
            f"peak must be such that expected counts are at most {_MOST_COUNTS:g}, got "
            f"{counts.max():g}; use sigma for so little noise."
        )
    return counts


def random_mask(shape_or_image: Array, rng: Rng, *, missing: float = 0.5) -> Array:
    r"""Mask of the observed pixels of an image, of which others are missing at random.

    Parameters
    ----------
    shape_or_image : tuple, or array (height, width) or (height, width, channels)
        An image, of which NaN may be pixels, or its shape.
    rng : Generator, int or None
        Source of the positions: a generator, or a seed.
    missing : float, default=0.5
        Share of missing pixels, in [0, 1].

    Returns
    -------
    bool array (height, width)
        True where a pixel is observed; exactly round(missing * height * width) entries are False.
        It has the library and device of the image, and is a NumPy array for a shape.

    Examples
    --------
    >>> import numpy as np
    >>> from skdict_sup.image.degradations import random_mask
    >>> mask = random_mask((20, 30), 0, missing=0.8)
    >>> print(mask.shape, (~mask).sum())
    (20, 30) 480
    """
    check_scalar(missing, "missing", low=0, high=1)
    image, shape = None, shape_or_image
    if not isinstance(shape, tuple | list) or any(map(np.iterable, shape)):
        image = check_image(shape_or_image, "shape_or_image", finite=False)
        shape = image.shape
    height, width = check_shape(shape, "shape_or_image")
    n_missing = round(missing * height * width)
    mask = np.ones(height * width, dtype=bool)
    mask[make_rng(rng).permutation(mask.size)[:n_missing]] = False
    mask = mask.reshape(height, width)
    return mask if image is None else mask_like(mask, image)
