"""Helpers of displays: axes and image shapes."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

_LEAST_COLOUR = 4  # side, at least, of what is taken for a coloured patch


def axes_or_new(ax):
    """Return the given axes, or the axes of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            'Displays need matplotlib; install it with pip install "skdict-sup[plot]".'
        ) from error
    return plt.subplots(layout="constrained")[1]


def check_shows(estimator, *names):
    """Raise unless an estimator is fitted, and has the attributes that a display shows."""
    if hasattr(estimator, "steps"):
        raise TypeError(
            f"estimator must be one that learns atoms, got a {type(estimator).__name__}; pass "
            "its last step, estimator[-1]."
        )
    if hasattr(estimator, "shape"):
        raise TypeError(
            "estimator must be a fitted estimator, got an array of shape "
            f"{tuple(estimator.shape)}; pass arrays to the display itself."
        )
    missing = [name for name in names if not hasattr(estimator, name)]
    attributes = getattr(estimator, "__dict__", {})
    if missing and not any(name.endswith("_") and name[0] != "_" for name in attributes):
        check_is_fitted(estimator, missing)
    if missing:
        stages = getattr(estimator, "stages_", [None])
        regressor = getattr(stages[0], "regressor", None)
        is_shown = all(hasattr(regressor, name) for name in names)
        cure = "; pass one of its regressors, estimator.stages_[0].regressor" * is_shown
        raise TypeError(
            f"estimator must have the attribute {missing[0]}, "
            f"got {type(estimator).__name__}{cure}."
        )


def check_image_shape(image_shape, n_features, name="image_shape"):
    """Check the shape of an image, (height, width) or (height, width, channels).

    If it is None, return a square where n_features is that of a gray one or of a coloured one, and
    else a row of pixels.
    """
    if image_shape is None:
        side, colour = round(n_features**0.5), round((n_features / 3) ** 0.5)
        if side * side == n_features:
            return side, side
        is_colour = 3 * colour * colour == n_features and colour >= _LEAST_COLOUR
        return (colour, colour, 3) if is_colour else (1, n_features)
    shape = tuple(image_shape)
    if len(shape) not in (2, 3) or np.prod(shape) != n_features:
        raise ValueError(
            f"{name} must be (height, width) or (height, width, channels) with a product of "
            f"{n_features}, got {image_shape!r}."
        )
    return shape
