"""HTML of fitted estimators for notebooks: what was chosen, and pictures of atoms.

Pictures are PNG files within the text, made here: matplotlib need not be installed.
"""

import base64
import struct
import zlib
from html import escape
from typing import Any

import numpy as np

from .._array import take_rows, to_numpy
from ._pictures import atom_scores, image_shape_of, mosaic, to_range

_COLUMNS = 10
_MOST_ATOMS, _LEAST_ATOMS = 40, 20
_MOST_BYTES = 24_000  # pixels times channels, before compression; larger images are thinned
_TILE = 36  # width of an atom on the page, about, in pixels
_MOST_LETTERS = 120  # longer values are cut
_STYLE = (
    "margin:0.5em 0;font-size:0.85em;display:flex;flex-wrap:wrap;align-items:flex-start;gap:1em"
)


class HTMLRepresentation:
    """Mixin: scikit-learn's HTML, and below it a summary of what has been fitted."""

    def _repr_html_inner(self):
        parent: Any = super()
        return parent._repr_html_inner() + fitted_html(self)

    def _repr_mimebundle_(self, **kwargs):
        parent: Any = super()
        bundle = parent._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += fitted_html(self)
        return bundle


def fitted_html(estimator: Any) -> str:
    """Summary of a fitted estimator as HTML; empty if it is not fitted."""
    if not hasattr(estimator, "components_"):
        return ""
    parts = [_table(_values(estimator)), _picture(estimator)]
    return f'<div class="skdict-sup-fitted" style="{_STYLE}">{"".join(parts)}</div>'


def _values(estimator):
    """Names and values of what the fit has chosen and reached."""
    values = {}
    if (prior := getattr(estimator, "prior_", None)) is not None:
        values["prior_"] = prior
    values |= getattr(estimator, "fitted_choices_", {})
    for name in ("n_iter_", "best_validation_score_"):
        if (value := getattr(estimator, name, None)) is not None:
            values[name] = value
    if loss := getattr(estimator, "loss_curve_", None):
        values["last loss"] = loss[-1]
    return values


def _table(values):
    """Table of names and values."""
    cell = 'style="text-align:left;padding:0 1em 0 0"'
    rows = [
        f"<tr><td {cell}>{escape(name)}</td><td {cell}><code>{_shown(value)}</code></td></tr>"
        for name, value in values.items()
    ]
    head = f'<tr><th {cell} colspan="2">Found by the fit</th></tr>'
    style = "color:inherit;font-size:inherit;border-collapse:collapse"
    return f'<table style="{style}">{head}{"".join(rows)}</table>' if rows else ""


def _shown(value):
    """Value as text of one line."""
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return escape(text if len(text) <= _MOST_LETTERS else f"{text[: _MOST_LETTERS - 1]}…")


def _picture(estimator):
    """Atoms as images within a figure, if they are images."""
    shape, n_atoms = image_shape_of(estimator), estimator.components_.shape[0]
    if shape is None:
        return ""
    n_shown = min(n_atoms, _MOST_ATOMS, max(_LEAST_ATOMS, _MOST_BYTES // int(np.prod(shape))))
    has_weights = hasattr(estimator, "coef_") and n_shown < n_atoms
    score = atom_scores(estimator) if has_weights else np.zeros(n_atoms)
    order = np.argsort(-score, kind="stable")[:n_shown]
    atoms = to_numpy(take_rows(estimator.components_, order))
    step = int(np.ceil((n_shown * np.prod(shape) / _MOST_BYTES) ** 0.5))
    images = to_range(np.nan_to_num(atoms).reshape(-1, *shape)[:, ::step, ::step])
    tiles = mosaic(images, min(_COLUMNS, n_shown))
    content = base64.b64encode(png(tiles)).decode()
    width = tiles.shape[1] * max(1, round(_TILE / (images.shape[2] + 2)))
    style = f"width:{width}px;max-width:100%;image-rendering:pixelated;display:block"
    which = f"{n_shown} of " * (n_shown < n_atoms) + f"{n_atoms} atom{'s' * (n_atoms > 1)}"
    which += ", largest weights first" if has_weights else ""
    which += "" if len(shape) == 3 else "; red above zero, blue below"
    return (
        f'<figure style="margin:0"><img alt="atoms of the dictionary" style="{style}" '
        f'src="data:image/png;base64,{content}"><figcaption>{which}</figcaption></figure>'
    )


def png(picture: np.ndarray) -> bytes:
    """PNG file of an image (height, width) in [-1, 1], or (height, width, 3) in [0, 1].

    Without channels, colours go from blue over white to red, and NaN is transparent.
    """
    height, width = picture.shape[:2]
    if picture.ndim == 3:
        kind, levels, tables = 2, np.rint(255 * picture), b""
    else:
        kind, shades = 3, np.rint(127 * (np.nan_to_num(picture) + 1))  # 0 to 254
        levels = np.where(np.isnan(picture), 255, shades)
        alpha = bytes([255] * 255 + [0])
        tables = _chunk(b"PLTE", _palette().tobytes()) + _chunk(b"tRNS", alpha)
    rows = levels.astype(np.uint8).reshape(height, -1)
    unfiltered = np.pad(rows, [(0, 0), (1, 0)])  # a row begins with the number of its filter
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    pixels = _chunk(b"IDAT", zlib.compress(unfiltered.tobytes(), 9))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + tables + pixels + _chunk(b"IEND", b"")


def _chunk(kind, content):
    """Part of a PNG file: length, name, content and checksum."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _palette():
    """Colours from blue over white to red, and one that is never seen: (256, 3)."""
    stops = np.array([[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]])
    places, shades = np.linspace(0, 254, len(stops)), np.arange(256)
    columns = [np.interp(shades, places, column) for column in stops.T]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)
