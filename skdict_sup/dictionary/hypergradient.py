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

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg

from .._array import astype_like, to_numpy
from ..implicit import vjp
from . import layer, supervised

_POLISH = 3
_STEP = 1e-4  # of differences of gradients, relative to the typical size of what is moved


@dataclass(frozen=True, eq=False)
class Side:
    """Samples, their codes, and what the head sees of them."""

    batch: Any
    coded: Any
    features: Any


def side_of(parameters, batch, settings):
    """Samples with their codes for the prior of the settings."""
    coded = layer.encoded(parameters, batch.X, settings)
    features = supervised.features_of(coded.code, settings.prior, settings.split_sign)
    return Side(batch, coded, features / settings.code_scale)


class Head:
    """Parameters of a head as one vector."""

    def __init__(self, parameters, settings):
        self.names = [n for n in ("coef", "linear", "intercept") if n in parameters]
        self.like = {name: parameters[name] for name in self.names}
        self.settings = settings

    def vector(self, arrays):
        """Vector of the arrays of a mapping."""
        return np.concatenate([to_numpy(arrays[name]).ravel() for name in self.names], dtype=float)

    def arrays(self, vector):
        """Mapping of names to the arrays of a vector."""
        found, first = {}, 0
        for name, like in self.like.items():
            size = int(np.prod(like.shape))
            part = vector[first : first + size].reshape(tuple(like.shape))
            found[name], first = astype_like(part, like), first + size
        return found

    def gradients(self, vector, side, nu):
        """Loss, its gradient in the vector, and in the features."""
        arrays = self.arrays(vector)
        loss, found, toward = supervised.head_loss(
            arrays, side.features, side.batch, replace(self.settings, nu=nu)
        )
        return float(loss), self.vector(found), toward

    def fitted(self, vector, side):
        """Vector with the least training loss."""
        found = minimize(
            lambda v: self.gradients(v, side, self.settings.nu)[:2],
            vector,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 1000, "maxcor": 20, "ftol": 1e-12, "gtol": 1e-7},
        )
        vector = found.x
        for _ in range(_POLISH):  # Newton steps: the gradient below is that of the optimal head
            slope = self.gradients(vector, side, self.settings.nu)[1]
            nearer = vector - self.response(vector, side, slope)
            better = self.gradients(nearer, side, self.settings.nu)[1]
            if not np.linalg.norm(better) < np.linalg.norm(slope):
                break
            vector = nearer
        return vector

    def response(self, vector, side, right):
        """Solution q of (second derivatives of the training loss) q = right."""
        nu, size = self.settings.nu, max(1.0, float(np.abs(vector).max()))

        def product(direction):
            norm = float(np.abs(direction).max()) or 1.0
            step = _STEP * size / norm * direction
            ends = [self.gradients(vector + s * step, side, nu)[1] for s in (1, -1)]
            return (ends[0] - ends[1]) / (2 * _STEP * size / norm)

        shape = len(vector), len(vector)
        q, _ = cg(LinearOperator(shape, matvec=product), right, rtol=1e-6, maxiter=200)
        return q


def loss_and_gradient(parameters, start, train, validation, settings):
    """Validation loss of the best head, its gradient in the prior, and that head's vector.

    The gradient is a mapping of hyper-parameters to numbers; `start` is a vector to begin from.
    """
    train = side_of(parameters, train, settings)
    validation = side_of(parameters, validation, settings)
    head = Head(parameters, settings)
    vector = head.fitted(start, train)
    loss, right, toward = head.gradients(vector, validation, 0.0)
    q = head.response(vector, train, right)
    size = _STEP * max(1.0, float(np.abs(vector).max())) / (float(np.abs(q).max()) or 1.0)
    ends = [head.gradients(vector + s * size * q, train, settings.nu)[2] for s in (1, -1)]
    back = (ends[1] - ends[0]) / (2 * size)
    total = {}
    for side, cotangent in ((validation, toward), (train, back)):
        for name, value in _toward_prior(side, cotangent, settings).items():
            total[name] = total.get(name, 0.0) + value
    return loss, total, vector


def _toward_prior(side, toward_features, settings):
    """Gradient in the prior's hyper-parameters, for one in the features."""
    coded = side.coded
    toward = supervised.toward_code(coded.code, toward_features / settings.code_scale, settings)
    p, total = coded.problems[0].dictionary.shape[0], {}
    for k, (problem, code) in enumerate(zip(coded.problems, coded.codes, strict=True)):
        part = toward[:, k * p : (k + 1) * p]
        found = vjp(problem, coded.signals, code, part, settings.n_jobs).prior
        for name in found.__dataclass_fields__:
            value = np.sum(to_numpy(getattr(found, name)))
            total[name] = total.get(name, 0.0) + float(value)
    return total
