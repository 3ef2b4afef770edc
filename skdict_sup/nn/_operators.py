"""`torch.ops.skdict_sup.sparse_code`: codes of rows as an operator, with its derivatives.

Registered operators are opaque to compilers of graphs, which need the shapes of their results
alone, and are differentiated by the formulas given here.
"""

import torch
from torch import Tensor

from ._rows import MAX_ROWS, Coding, check_dictionary, fake_gram, typical_correlation
from ._transforms import (
    batch_of_rows,
    differentiable,
    differentiable_once,
    numbers_one_by_one,
    save,
)


@torch.library.custom_op("skdict_sup::typical_correlation", mutates_args=())
def typical_correlation_of_rows(input: Tensor, dictionary: Tensor, positive: bool) -> Tensor:
    """Median of the largest correlations of some rows with an atom, without gradient."""
    rows = input[:: -(-max(input.shape[0], 1) // MAX_ROWS)]
    return typical_correlation(rows, dictionary, positive)


@typical_correlation_of_rows.register_fake
def _(input, dictionary, positive):
    return dictionary.new_empty(())


typical_correlation_of_rows.register_vmap(numbers_one_by_one(typical_correlation_of_rows))


@torch.library.custom_op("skdict_sup::sparse_code", mutates_args=())
def sparse_code_operator(
    input: Tensor, dictionary: Tensor, weights: Tensor, settings: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (n, n_components) of rows (n, n_features), their objectives (n,), and a Gram matrix.

    Objectives are differentiated with respect to input and dictionary alone. The Gram matrix is
    for the backward pass.
    """
    check_dictionary(dictionary)
    coding = Coding(dictionary, weights, settings)
    if not input.shape[0]:
        empty = input.new_empty((0, dictionary.shape[0])), input.new_empty(0)
        return *empty, coding.gram
    code, objective = coding.encode(input)
    coding.report()
    return code, objective, coding.gram


@sparse_code_operator.register_fake
def _(input, dictionary, weights, settings):
    n, p = input.shape[0], dictionary.shape[0]
    return input.new_empty((n, p)), input.new_empty((n,)), fake_gram(dictionary, settings)


@torch.library.custom_op("skdict_sup::sparse_code_backward", mutates_args=())
def backward_operator(
    grad_code: Tensor | None,
    grad_objective: Tensor | None,
    input: Tensor,
    dictionary: Tensor,
    weights: Tensor,
    code: Tensor,
    gram: Tensor,
    settings: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients for input, dictionary and hyper-parameters, from those for codes.

    They are contiguous in memory, as the shapes for compilers say.
    """
    coding = Coding(dictionary, weights, settings, gram)
    if not input.shape[0] or (grad_code is None and grad_objective is None):
        zeros = torch.zeros_like(weights)
        return input.new_zeros(input.shape), dictionary.new_zeros(dictionary.shape), zeros
    rows, atoms, numbers = coding.vjp(input, code, grad_code, grad_objective)
    return rows.contiguous(), atoms.contiguous(), numbers


@backward_operator.register_fake
def _(grad_code, grad_objective, input, dictionary, weights, code, gram, settings):
    return tuple(a.new_empty(a.shape) for a in (input, dictionary, weights))


def _backward(ctx, grad_code, grad_objective, _):
    gradients = _call_backward(grad_code, grad_objective, *ctx.saved_tensors, *ctx.settings)
    return *gradients, None


_call_backward = differentiable_once(backward_operator)
code_rows = differentiable(
    sparse_code_operator, save, _backward, batch_of_rows(sparse_code_operator)
)
