"""Networks that approximate sparse codes in a fixed number of layers.

`ARCHITECTURES` has them by name; `_protocol.py` says what one is.
"""

from .._array import astype_like
from ._protocol import Seen
from .facnet import FacNet
from .gated import SLSTM, AdaptiveISTA
from .steps import ALISTA, StepLISTA
from .unrolled import LFISTA, LISTA, RECURRENT

ARCHITECTURES = {
    "ista": LISTA(fixed=True),
    "fista": LFISTA(fixed=True),
    "lista": LISTA(),
    "lista_recurrent": LISTA(shared=RECURRENT),
    "lfista": LFISTA(),
    "facnet": FacNet(),
    "adaptive": AdaptiveISTA(),
    "slstm": SLSTM(),
    "alista": ALISTA(),
    "step": StepLISTA(),
}

__all__ = ["ARCHITECTURES", "Seen", "alike"]


def alike(layers, like):
    """Layers with the dtype of an array; what several layers have in common stays one array."""
    arrays = {id(array): array for layer in layers for array in layer.values()}
    made = {key: astype_like(array, like) for key, array in arrays.items()}
    return [{name: made[id(array)] for name, array in layer.items()} for layer in layers]
