"""Normalised contrast and whitening of patches."""

from .._array import astype_like, namespace


def normalised(patches, min_contrast):
    """Patches with mean zero and variance near one: (x - mean) / sqrt(variance + floor^2)."""
    xp = namespace(patches)
    centered = patches - xp.mean(patches, axis=1, keepdims=True)
    variance = xp.mean(centered * centered, axis=1, keepdims=True) + min_contrast**2
    # a constant patch has no contrast, even without a floor
    return centered / xp.sqrt(xp.where(variance > 0, variance, xp.ones_like(variance)))


def whitening_of(patches, ridge):
    """Mean of patches, and the symmetric matrix (covariance + ridge I)^(-1/2) (ZCA).

    Eigenvalues are computed in float64. Directions without variance get the weight zero if there
    is no ridge.
    """
    xp = namespace(patches)
    wide = xp.astype(patches, xp.float64)
    mean = xp.mean(wide, axis=0)
    centered = wide - mean
    values, vectors = xp.linalg.eigh(centered.T @ centered / patches.shape[0])
    values = xp.clip(values, 0.0, None) + ridge
    tiny = 1e-12 * xp.max(values)
    safe = xp.where(values > tiny, values, xp.ones_like(values))
    scale = xp.where(values > tiny, safe**-0.5, xp.zeros_like(values))
    matrix = (vectors * scale) @ vectors.T
    return astype_like(mean, patches), astype_like(matrix, patches)
