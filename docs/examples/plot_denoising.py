"""
Denoising and inpainting a photograph
=====================================

Noise is removed from a photograph, and text that covers it, without any other image: a dictionary
is learned from the patches of the degraded photograph itself, and the patches are coded over it.
:class:`~skdict_sup.image.DictionaryDenoiser` bounds the residual of each patch by the level of the
noise, :class:`~skdict_sup.image.DictionaryInpainter` codes patches by their observed pixels. Both
are used with their default settings.

The figures show the photograph with noise and without, enlarged, the learned atoms, and the text
removed. It runs for about 40 seconds. The guide: :doc:`../user_guide/image`.
"""

# %%
# Denoising
# ---------
# The noise is Gaussian, with a standard deviation of 25 where white is 255. For comparison: a
# Gaussian filter, with the width that is best for the lower part of the photograph.

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from skimage.restoration import inpaint_biharmonic
from sklearn.datasets import load_sample_image

from skdict_sup.image import DictionaryDenoiser, DictionaryInpainter
from skdict_sup.image.degradations import add_noise
from skdict_sup.plotting import DictionaryDisplay

SIGMA = 25 / 255

china = load_sample_image("china.jpg").mean(axis=2).astype(np.float32) / 255
original, lower = china[24:200, 80:330], china[220:396, 80:330]


def psnr(image, original):
    """Peak signal-to-noise ratio in decibels: higher is better."""
    return -10 * np.log10(np.mean((image - original) ** 2))


def filtered_psnr(width):
    """PSNR of the lower part of the photograph after a Gaussian filter."""
    return psnr(gaussian_filter(add_noise(lower, 1, sigma=SIGMA), width), lower)


width = max(np.arange(0.4, 2.0, 0.1), key=filtered_psnr)
noisy = add_noise(original, 0, sigma=SIGMA)
denoiser = DictionaryDenoiser(sigma=SIGMA, random_state=0)
denoised = {
    "noisy": noisy,
    f"Gaussian filter of width {width:.1f}": gaussian_filter(noisy, width),
    "DictionaryDenoiser": denoiser.fit_transform(noisy),
}

# %%
# If the level of the noise is not known, it is estimated. Fine textures count as noise in part, so
# that some of them are removed:

unknown = denoiser.set_params(sigma=None).transform(noisy)
print(f"sigma={SIGMA:.3f}: {psnr(denoised['DictionaryDenoiser'], original):.2f} dB")
print(f"sigma=None: {psnr(unknown, original):.2f} dB")

# %%
# The Gaussian filter removes little of the noise, since a wider one would blur the tiles.


def show(images, quality, part=np.s_[:, :]):
    """Draw images beside the original, with the values of a function of them in the titles."""
    images = {f"{name}, {quality(image):.1f} dB": image for name, image in images.items()}
    _, panels = plt.subplots(2, 2, figsize=(10, 7.4), layout="constrained")
    for panel, title in zip(panels.flat, [*images, "original"], strict=True):
        panel.imshow(images.get(title, original)[part], cmap="gray", vmin=0, vmax=1)
        panel.set_title(title)
        panel.axis("off")


show(denoised, lambda image: psnr(image, original))

# %%
# A part of the same images, enlarged:

show(denoised, lambda image: psnr(image, original), np.s_[60:130, 70:170])

# %%
# The atoms that have been learned from the noisy photograph are edges and textures of its roofs,
# walls and windows:

figure, axes = plt.subplots(figsize=(10, 2.6), layout="constrained")
DictionaryDisplay(denoiser.components_[:64]).plot(axes, columns=16)

# %%
# Inpainting
# ----------
# Text covers a part of the pixels. The mask is true where a pixel is observed. For comparison:
# biharmonic interpolation, which is the first estimate of the inpainter. Peak signal-to-noise
# ratios are those of the missing pixels alone.


def text_mask(shape, size):
    """Mask of the pixels that text leaves."""
    page = Image.new("1", shape[::-1], 1)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    words = "The code of a signal is computed from its observed entries. " * 10
    for line, top in enumerate(range(0, shape[0], size + 1)):
        draw.text((2, top), words[11 * line :], fill=0, font=font)
    return np.asarray(page)


mask = text_mask(original.shape, 13)
covered = np.where(mask, original, 1.0)
filled = {
    "covered by text": covered,
    "biharmonic interpolation": inpaint_biharmonic(covered, ~mask),
    "DictionaryInpainter": DictionaryInpainter(random_state=0).fit_transform(covered, mask),
}
print(f"{np.mean(~mask):.0%} of the pixels are missing")
show(filled, lambda image: psnr(image[~mask], original[~mask]))

# %%
# Lines and textures that cross the letters are continued by the atoms that fit them, where
# interpolation leaves smooth spots:

show(filled, lambda image: psnr(image[~mask], original[~mask]), np.s_[60:130, 70:170])

# sphinx_gallery_thumbnail_number = 2
plt.show()
