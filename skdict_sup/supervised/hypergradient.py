r"""Gradient of a validation loss with respect to the hyper-parameters of the prior.

With A the codes of training and B those of validation samples, both functions of the prior's
hyper-parameters h, and :math:`\theta^*` the head that minimises the training loss on A,

.. math:: \frac{d}{dh} L_\mathrm{val}(\theta^*, B) = \langle \nabla_B L_\mathrm{val}, B' \rangle
          - \langle \nabla_A \langle q, \nabla_\theta L_\mathrm{train} \rangle, A' \rangle, \quad
          \nabla^2_\theta L_\mathrm{train} \, q = \nabla_\theta L_\mathrm{val}

The derivatives of codes are implicit too. Products with the Hessian are finite differences of
gradients, which works for any loss and any head.

References
----------
F. Pedregosa, "Hyperparameter optimization with approximate gradient", 2016.
"""

import numpy as np

from .._array import to_numpy
from ..adjoints import vjp
from .coding_layer import encode, encode_path
from .head_fit import DIFFERENCE_STEP, HeadProblem
from .step import code_gradient, make_head_input


def loss_and_gradient(parameters, start, train, validation, settings):
    """Validation loss of the optimal head, its gradient in the prior, and the flattened head.

    The gradient maps names of hyper-parameters to numbers or arrays like theirs; `start` is the
    initial flattened head.
    """
    coded = [encode(parameters, batch.X, settings) for batch in (train, validation)]
    train, validation = (
        make_head_input(codes.code, batch, settings)
        for codes, batch in zip(coded, (train, validation), strict=True)
    )
    problem = HeadProblem(parameters, settings)
    vector = problem.newton_refine(problem.minimize_loss(start, train), train)
    loss, grad_head, grad_validation = problem.loss_and_gradients(vector, validation, ridge=False)
    q = problem.solve_hessian(vector, train, grad_head)
    scale, norm = max(1.0, float(np.abs(vector).max())), float(np.abs(q).max()) or 1.0
    step = DIFFERENCE_STEP * scale / norm
    ends = [problem.loss_and_gradients(vector + s * step * q, train)[2] for s in (1, -1)]
    grad_train = (ends[1] - ends[0]) / (2 * step)
    grad_prior = {}
    for codes, grad_features in ((coded[1], grad_validation), (coded[0], grad_train)):
        for name, value in _grad_prior(codes, grad_features, settings).items():
            grad_prior[name] = grad_prior.get(name, 0.0) + value
    return loss, grad_prior, vector


def losses_on_path(parameters, start, train, validation, settings, factors):
    """Validation losses of the optimal heads for decreasing factors of the weight lam.

    The codes of all factors are those of one path.
    """
    problem, vector, losses = HeadProblem(parameters, settings), start, []
    paths = [encode_path(parameters, batch.X, settings, factors) for batch in (train, validation)]
    for coded in zip(*paths, strict=True):
        inputs = (
            make_head_input(codes.code, batch, settings)
            for codes, batch in zip(coded, (train, validation), strict=True)
        )
        train_input, validation_input = inputs
        vector = problem.minimize_loss(vector, train_input)
        losses.append(problem.loss_and_gradients(vector, validation_input, ridge=False)[0])
    return losses


def _grad_prior(coded, grad_features, settings):
    """Gradient with respect to the prior's hyper-parameters, from that of the features."""
    grad_code = code_gradient(coded.code, grad_features / settings.code_scale, settings)
    p, total = coded.problems[0].dictionary.shape[0], {}
    for k, (problem, code) in enumerate(zip(coded.problems, coded.codes, strict=True)):
        grad_block = grad_code[:, k * p : (k + 1) * p]
        gradients = vjp(problem, coded.signals, code, grad_block, settings.n_jobs).prior
        for name in gradients.__dataclass_fields__:
            value = to_numpy(getattr(gradients, name)).astype(np.float64)
            total[name] = total.get(name, 0.0) + value
    return total
