"""Derivatives and batches of the coding operators, for autograd, `torch.func` and compilers."""

import torch

from ._settings import custom_prior_of


def differentiable(operator, setup_context, backward, batch):
    """Give an operator its derivative, and return the function to call it by.

    `setup_context(ctx, inputs, output)` and `backward(ctx, *gradients)` are as in
    `torch.autograd.Function`; `batch(info, in_dims, *inputs)` is its rule for `torch.vmap`.
    Compiled graphs contain the operator. Otherwise it is called through a Function, because the
    transforms of `torch.func` do not differentiate registered operators.
    """
    operator.register_autograd(backward, setup_context=setup_context)
    operator.register_vmap(batch)
    members = {
        "forward": staticmethod(lambda *inputs: operator(*inputs)),
        "setup_context": staticmethod(setup_context),
        "backward": staticmethod(backward),
        "vmap": staticmethod(batch),
        "jvp": staticmethod(_refuse_forward_mode),
    }
    function = type("SparseCode", (torch.autograd.Function,), members)

    def call(*inputs):
        return operator(*inputs) if torch.compiler.is_compiling() else function.apply(*inputs)

    return call


def _refuse_forward_mode(ctx, *tangents):
    raise NotImplementedError(
        "sparse codes have no derivatives in forward mode (jvp, jacfwd): use reverse mode, as in "
        "backward, torch.func.vjp or torch.func.jacrev."
    )


def differentiable_once(operator):
    """Backward operator whose results cannot be differentiated: the function to call it by."""

    def setup_context(ctx, inputs, output):
        pass

    def backward(ctx, *gradients):
        raise RuntimeError(
            "sparse codes can be differentiated once, not twice: the derivatives of the linear "
            "systems on their supports are not implemented. Use create_graph=False, or detach the "
            "codes in the term that is differentiated twice."
        )

    def batch(info, in_dims, *inputs):
        return one_by_one(operator, info, in_dims, inputs)

    return differentiable(operator, setup_context, backward, batch)


def save(ctx, inputs, output):
    """Save what the backward operator of (input, dictionary, weights, *settings) needs."""
    input, dictionary, weights, *ctx.settings = inputs
    code, _, gram = output
    ctx.prior = custom_prior_of(ctx.settings[0])
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(gram)
    # a copy of the codes, which a layer behind may change in place, as a rectifier does
    ctx.save_for_backward(input, dictionary, weights, code.clone(), gram)


def batch_of_rows(operator):
    """Rule for `torch.vmap` of an operator (input, dictionary, weights, ...) on rows.

    A batch of inputs over one dictionary becomes more rows; batches of dictionaries or of
    hyper-parameters are computed one after the other.
    """

    def batch(info, in_dims, input, dictionary, weights, *settings):
        if in_dims[1] is not None or in_dims[2] is not None:
            inputs = input, dictionary, weights, *settings
            return one_by_one(operator, info, in_dims, inputs)
        input = input.movedim(in_dims[0], 0)
        code, objective, gram = operator(input.flatten(0, 1), dictionary, weights, *settings)
        shape = input.shape[:2]
        return (code.unflatten(0, shape), objective.unflatten(0, shape), gram), (0, 0, None)

    return batch


def one_by_one(operator, info, in_dims, inputs):
    """Apply an operator to each entry of a batch, and stack the results."""
    results = []
    for i in range(info.batch_size):
        entry = (
            a.select(dim, i) if isinstance(dim, int) else a
            for a, dim in zip(inputs, in_dims, strict=True)
        )
        results.append(operator(*entry))
    return tuple(torch.stack(part) for part in zip(*results, strict=True)), (0,) * len(results[0])


def numbers_one_by_one(operator):
    """Rule for `torch.vmap` of an operator that returns one tensor, entry by entry."""

    def batch(info, in_dims, *inputs):
        found, dims = one_by_one(lambda *entry: (operator(*entry),), info, in_dims, inputs)
        return found[0], dims[0]

    return batch
