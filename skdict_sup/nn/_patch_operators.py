"""`torch.ops.skdict_sup.conv_sparse_code`: codes of patches as an operator, with its derivatives.

Patches are unfolded, coded and added up band by band, so that the memory for them is bounded.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._patches import Geometry
from ._rows import MAX_ROWS, Coding, check_dictionary, fake_gram, typical_correlation
from ._transforms import (
    batch_of_rows,
    differentiable,
    differentiable_once,
    numbers_one_by_one,
    save,
)


def _geometry(numbers, center):
    pairs = [tuple(numbers[i : i + 2]) for i in range(0, 8, 2)]
    return Geometry(*pairs, center=center)


@torch.library.custom_op("skdict_sup::conv_typical_correlation", mutates_args=())
def typical_correlation_of_patches(
    input: Tensor, dictionary: Tensor, positive: bool, geometry: Sequence[int], center: bool
) -> Tensor:
    """Median of the largest correlations of some patches with an atom, without gradient."""
    rows = _geometry(geometry, center).sample(input, MAX_ROWS)
    return typical_correlation(rows[:MAX_ROWS], dictionary, positive)


@typical_correlation_of_patches.register_fake
def _(input, dictionary, positive, geometry, center):
    return dictionary.new_empty(())


typical_correlation_of_patches.register_vmap(numbers_one_by_one(typical_correlation_of_patches))


@torch.library.custom_op("skdict_sup::conv_sparse_code", mutates_args=())
def conv_operator(
    input: Tensor,
    dictionary: Tensor,
    weights: Tensor,
    settings: str,
    geometry: Sequence[int],
    center: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (n, n_components, height, width) of patches, objectives, and a Gram matrix.

    `geometry` has two numbers each for kernel size, stride, padding and dilation.
    """
    check_dictionary(dictionary)
    coding, places = Coding(dictionary, weights, settings), _geometry(geometry, center)
    n, size = input.shape[0], places.output_size(input.shape)
    code = input.new_empty((n, dictionary.shape[0], *size))
    objective = input.new_empty((n, *size))
    padded = places.pad(input.detach())
    for band in places.bands(padded.shape):
        found = coding.encode(places.rows(padded[band.pixels]))
        shape = objective[band.places].shape
        code[band.maps] = found[0].reshape(*shape, -1).permute(0, 3, 1, 2)
        objective[band.places] = found[1].reshape(shape)
    coding.report()
    return code, objective, coding.gram


@conv_operator.register_fake
def _(input, dictionary, weights, settings, geometry, center):
    n, size = input.shape[0], _geometry(geometry, center).output_size(input.shape)
    code = input.new_empty((n, dictionary.shape[0], *size))
    return code, input.new_empty((n, *size)), fake_gram(dictionary, settings)


@torch.library.custom_op("skdict_sup::conv_sparse_code_backward", mutates_args=())
def backward_operator(
    grad_code: Tensor | None,
    grad_objective: Tensor | None,
    input: Tensor,
    dictionary: Tensor,
    weights: Tensor,
    code: Tensor,
    gram: Tensor,
    settings: str,
    geometry: Sequence[int],
    center: bool,
    needs_input: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients for input, dictionary and hyper-parameters, from those for codes."""
    coding, places = Coding(dictionary, weights, settings, gram), _geometry(geometry, center)
    grad_dictionary = dictionary.new_zeros(dictionary.shape)
    grad_weights = torch.zeros_like(weights)
    padded = places.pad(input.detach())
    grad_padded = padded.new_zeros(padded.shape) if needs_input else None
    if grad_code is None and grad_objective is None:
        return input.new_zeros(input.shape), grad_dictionary, grad_weights
    for band in places.bands(padded.shape):
        grad_codes = None if grad_code is None else band.rows(grad_code)
        losses = None if grad_objective is None else grad_objective[band.places].reshape(-1)
        found = coding.vjp(places.rows(padded[band.pixels]), band.rows(code), grad_codes, losses)
        grad_dictionary += found[1]
        grad_weights += found[2]
        if grad_padded is not None:
            places.add(found[0], grad_padded[band.pixels])
    if grad_padded is None:
        return input.new_empty(0), grad_dictionary, grad_weights
    return places.unpad(grad_padded), grad_dictionary, grad_weights


@backward_operator.register_fake
def _(
    grad_code,
    grad_objective,
    input,
    dictionary,
    weights,
    code,
    gram,
    settings,
    geometry,
    center,
    needs_input,
):
    grad_input = input.new_empty(input.shape if needs_input else (0,))
    return grad_input, dictionary.new_empty(dictionary.shape), torch.empty_like(weights)


def _backward(ctx, grad_code, grad_objective, _):
    needs_input, saved = ctx.needs_input_grad[0], ctx.saved_tensors
    gradients = _call_backward(grad_code, grad_objective, *saved, *ctx.settings, needs_input)
    return gradients[0] if needs_input else None, *gradients[1:], None, None, None


_call_backward = differentiable_once(backward_operator)
code_patches = differentiable(conv_operator, save, _backward, batch_of_rows(conv_operator))
