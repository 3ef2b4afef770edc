"""
Inverse halftoning: linear and supervised regression of patches
===============================================================

A halftone consists of black and white dots, as in a newspaper. The photograph that it was made
from is estimated by a regression of patches: each patch of the photograph is predicted from the
same patch of the halftone, and overlapping predictions are averaged.
:class:`~skdict_sup.image.PatchRegressor` takes images and returns images, with any regressor.
Here, ridge regression is compared with :class:`~skdict_sup.SupervisedDictionaryRegressor`, whose
predictions are linear in sparse codes, and therefore not linear in the patches.

The figures show halftone, both estimates and original, enlarged, and pairs of atoms. It runs for
about 20 seconds. The guide: :doc:`../user_guide/image`.
"""

# %%
# Images
# ------
# The regressors learn from one sample photograph of scikit-learn and are applied to the other.
# Halftones are made by error diffusion. Settings were chosen on the right part of the first
# photograph (``china[180:400, 420:]``), which is not used here: the size of the patches, the
# penalties of both regressors, and the number of atoms.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.linear_model import Ridge

from skdict_sup import ElasticNet, SupervisedDictionaryRegressor
from skdict_sup.image import PatchRegressor, extract_patches
from skdict_sup.image.degradations import floyd_steinberg
from skdict_sup.plotting import LinkedDictionariesDisplay

china, flower = [
    load_sample_image(name).mean(axis=2).astype(np.float32) / 255
    for name in ("china.jpg", "flower.jpg")
]
train, test = china[:, :420], flower[80:256, 230:480]
train_halftone, test_halftone = floyd_steinberg(train), floyd_steinberg(test)

# %%
# Two regressors
# --------------
# The mean of each patch of the halftone is subtracted from both patches of a pair, and added to
# the prediction. Patches are extracted from the images when they are needed.

regressors = {
    "ridge": Ridge(alpha=1.0),
    "supervised dictionary": SupervisedDictionaryRegressor(
        128, prior=ElasticNet(lam=0.4, lam2=0.1), learning_rate=0.16, max_iter=10, random_state=0
    ),
}
models, restored = {}, {}
for name, regressor in regressors.items():
    model = PatchRegressor(regressor, patch_size=8, n_patches=100_000, random_state=0)
    models[name] = model.fit(train_halftone, train)
    restored[name] = model.predict(test_halftone)
    print(f"{name}: {model.score(test_halftone, test):.2f} dB")

# %%
# After ridge regression, the dots remain visible, most of all on the dark background: a linear
# filter that removed them would blur the edges too. Sparse codes select atoms for each patch, so
# that edges stay sharp where smooth parts are smooth.


def psnr(image):
    """Peak signal-to-noise ratio in decibels: higher is better."""
    return -10 * np.log10(np.mean((image - test) ** 2))


images = {"halftone": test_halftone, **restored, "original": test}
titles = {name: f"{name}, {psnr(images[name]):.1f} dB" for name in ("halftone", *restored)}
titles["original"] = "original"


def show(part, width):
    """Draw a part of all images."""
    _, panels = plt.subplots(2, 2, figsize=(width, 0.74 * width), layout="constrained")
    for panel, (name, image) in zip(panels.flat, images.items(), strict=True):
        panel.imshow(image[part], cmap="gray", vmin=0, vmax=1)
        panel.set_title(titles[name])
        panel.axis("off")


show(np.s_[:, :], 10)

# %%
# A part of the same images, enlarged:

show(np.s_[20:90, 90:190], 10)

# %%
# Linked dictionaries
# -------------------
# The regressor has two dictionaries: the atoms over which patches of halftones are coded, and for
# each of them the column of the linear model, which is added to the prediction in proportion to
# the entry of the code. The 40 pairs that contribute most to predictions are shown, in the same
# places: edges, bars and stripes with single dots of the halftone on the left, and without them on
# the right.

regressor = models["supervised dictionary"].stages_[0].regressor
patches = np.asarray(extract_patches(train_halftone, 8, stride=4))
code = regressor.transform(patches - patches.mean(axis=1, keepdims=True))
share = np.abs(code).mean(axis=0) * np.linalg.norm(regressor.coef_, axis=0)
order = np.argsort(-share)[:40]
print(f"{np.count_nonzero(code, axis=1).mean():.1f} nonzeros in a code")

figure, axes = plt.subplots(1, 2, figsize=(11, 2.7), layout="constrained")
LinkedDictionariesDisplay(regressor.components_[order], regressor.coef_.T[order]).plot(
    axes, columns=10
)

# sphinx_gallery_thumbnail_number = 2
plt.show()
