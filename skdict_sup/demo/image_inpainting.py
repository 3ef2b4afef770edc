"""Dictionaries that fill in missing pixels, in the demo of photographs."""

from dataclasses import dataclass, replace

import numpy as np

from ..image import DictionaryInpainter


@dataclass(frozen=True)
class Inpainting:
    """Codes of patches with missing pixels: settings, and models."""

    n_components: int = 256
    patch_size: int = 8
    stride: int = 2
    n_patches: int = 20_000
    epochs: int = 4
    verbose: int = 1

    name = "dictionary of other photographs"
    others_need_pairs = False
    atoms_title = "atoms of the dictionary of other photographs"

    def quick(self):
        """Settings that take a few seconds."""
        return replace(self, n_components=96, n_patches=2000, epochs=1, stride=3)

    def trained(self, pairs):
        """The model with a dictionary of clean photographs."""
        return self._inpainter().fit(pairs.clean)

    def restored(self, model, image):
        """A photograph with its missing pixels, which are NaN, filled in."""
        return model.transform(image)

    def others(self, pairs):
        """The same by a dictionary of the observed pixels of the photograph itself."""
        own = replace(self, verbose=0)._inpainter()
        return {"dictionary of the photograph itself": own.fit_transform}

    def warm_up(self, pairs):
        """Compile the kernels, some of which only as many patches and atoms need."""
        usual = replace(self, n_components=96, patch_size=8, n_patches=2000)
        model, image = usual.trained(pairs), np.tile(pairs.clean[0], (2, 2))
        image[np.random.default_rng(0).random(image.shape) < 0.5] = np.nan
        self.restored(model, image)
        for other in usual.others(pairs).values():
            other(image)

    def accepts(self, model):
        """Whether a stored model is one of gray levels by this method."""
        return isinstance(model, DictionaryInpainter) and model.n_channels_in_ == 1

    def size_of(self, model):
        """Size of the patches of a model."""
        return model.patch_size_

    def atoms(self, model, image, n_atoms):
        """Atoms of the dictionary, evenly spaced."""
        n_components = len(model.components_)
        order = np.unique(np.linspace(0, n_components - 1, n_atoms).astype(int))
        return (model.components_[order].reshape(-1, *model.patch_size_),)

    def _inpainter(self):
        return DictionaryInpainter(
            self.n_components,
            patch_size=self.patch_size,
            stride=self.stride,
            n_patches=self.n_patches,
            max_iter=self.epochs,
            random_state=0,
            verbose=self.verbose,
        )
