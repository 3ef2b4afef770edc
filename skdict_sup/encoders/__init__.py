"""Networks that approximate sparse codes in a fixed number of layers.

`ARCHITECTURES` maps names to architectures; `_protocol.py` defines their interface.
"""

from .._array import astype_like
from ._protocol import LayerInput
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

__all__ = ["ARCHITECTURES", "LayerInput", "astype_layers"]


def astype_layers(layers, like):
    """Layers converted to the dtype of an array; an array that layers share is converted once."""
    arrays = {id(array): array for layer in layers for array in layer.values()}
    converted = {key: astype_like(array, like) for key, array in arrays.items()}
    return [{name: converted[id(array)] for name, array in layer.items()} for layer in layers]
