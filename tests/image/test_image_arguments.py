"""Images and arguments of degradations that are refused, and what the messages name."""

import numpy as np
import pytest
from scipy import sparse

from skdict_sup.image._images import check_image
from skdict_sup.image.degradations import (
    add_noise,
    blur,
    enlarge,
    floyd_steinberg,
    random_mask,
    reduce,
)

IMAGE = np.random.default_rng(0).random((6, 8))
FUNCTIONS = {
    "floyd_steinberg": floyd_steinberg,
    "blur": lambda image: blur(image, sigma=1),
    "reduce": lambda image: reduce(image, factor=2),
    "enlarge": lambda image: enlarge(image, factor=2),
    "add_noise": lambda image: add_noise(image, 0, sigma=0.1),
    "random_mask": lambda image: random_mask(image, 0),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
BAD_IMAGES = {
    "vector": (IMAGE[0], ValueError, r"shape \(height, width\) or .* got shape \(8,\)"),
    "batch": (IMAGE[None, :, :, None], ValueError, r"got shape \(1, 6, 8, 1\); .* one at a time"),
    "number": (0.5, ValueError, r"got shape \(\)"),
    "empty": (IMAGE[:0], ValueError, r"at least one pixel, got shape \(0, 8\)"),
    "no_channels": (np.zeros((6, 8, 0)), ValueError, r"at least one pixel, got shape \(6, 8, 0\)"),
    "int64": (np.ones((6, 8), np.int64), TypeError, r"uint8 values in 0..255, got dtype int64"),
    "bool": (IMAGE > 0.5, TypeError, "got dtype bool; convert it"),
    "float16": (IMAGE.astype(np.float16), TypeError, "float32 or float64 .* got dtype float16"),
    "complex": (IMAGE + 0j, TypeError, "got dtype complex128"),
    "objects": (IMAGE.astype(object), TypeError, "got dtype object"),
    "none": (None, TypeError, "got dtype object"),
    "text": ([["a", "b"]], TypeError, "got dtype <U1"),
    "ragged": ([[0.1, 0.2], [0.3]], ValueError, "rows of equal length"),
    "masked": (np.ma.masked_array(IMAGE, IMAGE > 0.5), TypeError, "without a mask"),
    "sparse": (sparse.csr_array(IMAGE), TypeError, r"dense array, got csr_array; .*toarray"),
}


@every_function
@pytest.mark.parametrize(("bad", "error", "message"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_what_is_no_image_is_refused(function, bad, error, message):
    with pytest.raises(error, match=f"^(shape_or_)?image must .*{message}"):
        function(bad)


@every_function
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(xp, function, bad):
    image = IMAGE.copy()
    image[4, 7] = bad
    if function is FUNCTIONS["random_mask"]:
        assert xp.to_numpy(function(xp.asarray(image))).shape == (6, 8)  # values do not matter
        return
    with pytest.raises(ValueError, match=r"image must be finite, .* in 1 row, first in row 4"):
        function(xp.asarray(image))


@pytest.mark.parametrize("dtype", [np.int32, np.int8, np.bool_])
def test_other_dtypes_of_other_libraries_are_refused(xp, dtype):
    with pytest.raises(TypeError, match=r"picture must hold .* got dtype .*; convert it"):
        check_image(xp.asarray(np.ones((2, 2), dtype)), "picture")


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_images_are_returned_as_they_are(xp, shape, dtype):
    image = xp.asarray(np.ones(shape, dtype))
    found = check_image(image)
    assert found is image or xp.module == "torch"  # detached tensors are other objects
    assert (type(found), found.dtype, found.shape) == (type(image), image.dtype, image.shape)


def test_missing_pixels_may_pass():
    image = np.where(IMAGE > 0.5, np.nan, IMAGE)
    assert check_image(image, finite=False) is image


def test_lists_and_other_byte_orders_are_images():
    assert check_image(IMAGE.tolist()).tolist() == IMAGE.tolist()
    for function in FUNCTIONS.values():
        found = function(IMAGE.astype(IMAGE.dtype.newbyteorder()))
        np.testing.assert_array_equal(found, function(IMAGE))
        assert found.dtype.isnative


def test_images_with_a_graph_are_detached():
    torch = pytest.importorskip("torch")
    found = blur(torch.from_numpy(IMAGE).requires_grad_(), sigma=1)
    assert not found.requires_grad
    np.testing.assert_array_equal(found.numpy(), blur(IMAGE, sigma=1))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: blur(IMAGE, sigma=-1), ValueError, "sigma must be a number >= 0, got -1"),
        (lambda: blur(IMAGE, sigma="1"), TypeError, "sigma must be a number >= 0, got '1'"),
        (lambda: blur(IMAGE, size=0), ValueError, "size must be an integer >= 1, got 0"),
        (lambda: blur(IMAGE, size=3.0), TypeError, "size must be an integer >= 1, got 3.0"),
        (lambda: blur(IMAGE, kernel=np.ones(3)), ValueError, r"kernel must be 2-dim.* \(3,\)"),
        (lambda: blur(IMAGE, kernel=[[np.nan]]), ValueError, "kernel must be finite"),
        (lambda: blur(IMAGE, size=3, mode="edge"), ValueError, r"mode must be one of .*'edge'"),
        (lambda: reduce(IMAGE, factor=0), ValueError, "factor must be an integer >= 1, got 0"),
        (lambda: reduce(IMAGE, factor=2.0), TypeError, "factor must be an integer >= 1"),
        (lambda: enlarge(IMAGE, factor=0), ValueError, "factor must be an integer >= 1, got 0"),
        (lambda: enlarge(IMAGE, factor=True), TypeError, "factor must be an integer >= 1"),
        (lambda: add_noise(IMAGE, 0), ValueError, "exactly one of sigma and peak .* none"),
        (lambda: add_noise(IMAGE, 0, sigma=1, peak=1), ValueError, "got sigma and peak"),
        (lambda: add_noise(IMAGE, 0, sigma=-0.1), ValueError, "sigma must be a number >= 0"),
        (lambda: add_noise(IMAGE, 0, peak=0), ValueError, "peak must be a number > 0, got 0"),
        (lambda: add_noise(IMAGE, 0, peak=1e30), ValueError, "peak must be such .* use sigma"),
        (lambda: add_noise(-IMAGE, 0, peak=1), ValueError, "image must be >= 0 for Poisson"),
        (lambda: add_noise(IMAGE, "a", sigma=1), TypeError, "rng must be a .*Generator.* 'a'"),
        (lambda: random_mask(IMAGE, -1), TypeError, "rng must be .* seed >= 0 .* got -1"),
        (lambda: random_mask((3, 4), 0, missing=1.5), ValueError, "missing must be .* <= 1"),
        (lambda: random_mask((3,), 0), ValueError, r"shape_or_image must be \(height, width\)"),
        (lambda: random_mask((3, 0), 0), ValueError, "width in shape_or_image must be .* >= 1"),
        (lambda: random_mask((3.0, 4), 0), TypeError, "height in shape_or_image must be an int"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_masks_are_of_the_library_of_the_image(xp):
    expected = random_mask((6, 8), 0, missing=0.3)
    for image in (IMAGE, np.zeros((6, 8, 3), np.uint8)):
        mask = random_mask(xp.asarray(image), 0, missing=0.3)
        assert xp.is_mine(mask)
        assert xp.to_numpy(mask).dtype == bool
        np.testing.assert_array_equal(xp.to_numpy(mask), expected)


def test_devices_without_float64_have_noise_in_float32():
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device("no_float64")
    image = strict.asarray(np.full((6, 8), 100, np.uint8), device=device)
    noisy = add_noise(image, 0, sigma=1)
    assert noisy.dtype == strict.float32
    assert noisy.device == device
    assert blur(image, sigma=1).device == floyd_steinberg(image).device == device
