r"""Gradient of a validation loss in the hyper-parameters of the prior, past the optimal head.

With A the codes of training and B those of validation samples, both functions of the prior's
hyper-parameters h, and :math:`\theta^*` the head that minimises the training loss on A,

.. math:: \frac{d}{dh} L_\mathrm{val}(\theta^*, B) = \langle \nabla_B L_\mathrm{val}, B' \rangle
          - \langle \nabla_A \langle q, \nabla_\theta L_\mathrm{train} \rangle, A' \rangle, \quad
          \nabla^2_\theta L_\mathrm{train} \, q = \nabla_\theta L_\mathrm{val}

The codes' derivatives are implicit too. Products with second derivatives are differences of
gradients, so that any loss and any head will do.

References
----------
F. Pedregosa, "Hyperparameter optimization with approximate gradient", 2016.
"""

import numpy as np

from .._array import to_numpy
from ..implicit import vjp
from .coding_layer import encoded
from .head_fit import STEP, HeadProblem
from .step import head_input, toward_code


def loss_and_gradient(parameters, start, train, validation, settings):
    """Validation loss of the best head, its gradient in the prior, and that head's vector.

    The gradient is a mapping of hyper-parameters to numbers; `start` is a vector to begin from.
    """
    coded = [encoded(parameters, batch.X, settings) for batch in (train, validation)]
    train, validation = (
        head_input(codes.code, batch, settings)
        for codes, batch in zip(coded, (train, validation), strict=True)
    )
    head = HeadProblem(parameters, settings)
    vector = head.refined(head.fitted(start, train), train)
    loss, right, toward = head.gradients(vector, validation, 0.0)
    q = head.response(vector, train, right)
    size = STEP * max(1.0, float(np.abs(vector).max())) / (float(np.abs(q).max()) or 1.0)
    ends = [head.gradients(vector + s * size * q, train, settings.nu)[2] for s in (1, -1)]
    back = (ends[1] - ends[0]) / (2 * size)
    total = {}
    for codes, cotangent in ((coded[1], toward), (coded[0], back)):
        for name, value in _toward_prior(codes, cotangent, settings).items():
            total[name] = total.get(name, 0.0) + value
    return loss, total, vector


def _toward_prior(coded, toward_features, settings):
    """Gradient in the prior's hyper-parameters, for one in the features."""
    toward = toward_code(coded.code, toward_features / settings.code_scale, settings)
    p, total = coded.problems[0].dictionary.shape[0], {}
    for k, (problem, code) in enumerate(zip(coded.problems, coded.codes, strict=True)):
        part = toward[:, k * p : (k + 1) * p]
        found = vjp(problem, coded.signals, code, part, settings.n_jobs).prior
        for name in found.__dataclass_fields__:
            value = np.sum(to_numpy(getattr(found, name)))
            total[name] = total.get(name, 0.0) + float(value)
    return total
