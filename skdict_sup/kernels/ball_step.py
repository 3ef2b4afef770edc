"""Kernel: a step of Adam for rows in the unit ball."""

from .._array import namespace
from .._linalg import project_ball
from ._dispatch import kernel

DECAY, DECAY_SQUARES = 0.9, 0.999
GRADIENT_NOISE = 1e-6  # rounding error of gradients, relative to their root mean square


@kernel
def ball_step(rows, gradient, mean, squares, n_steps, rate, positive):
    r"""Rows after a step of Adam with one second moment for each row, and the new moments.

    .. math:: m' = .9 m + .1 g, \quad v' = .999 v + .001 \|g\|^2, \quad
              d' = \Pi(d - \eta \frac{m'}{1 - .9^t} / \sqrt{\frac{v' + f}{1 - .999^t}}),

    with Pi the projection on the unit ball (on its nonnegative part where `positive`), and f a
    millionth of the root mean square gradient, squared: a gradient that is zero up to rounding
    errors is not normalised.

    Parameters
    ----------
    rows, gradient, mean : array (n_rows, n_features)
        Rows d, gradients g and first moments m.
    squares : array (n_rows, 1)
        Second moments v.
    n_steps : int
        The number t of this step, from one on.
    rate : float
        Learning rate eta.
    positive : bool

    Returns
    -------
    rows, mean : array (n_rows, n_features)
    squares : array (n_rows, 1)

    References
    ----------
    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.
    """
    xp = namespace(gradient)
    norms = xp.vecdot(gradient, gradient, axis=-1)[:, None]
    mean = DECAY * mean + (1 - DECAY) * gradient
    squares = DECAY_SQUARES * squares + (1 - DECAY_SQUARES) * norms
    floor = GRADIENT_NOISE**2 * xp.mean(squares)
    scale = (1 - DECAY**n_steps) * xp.sqrt((squares + floor) / (1 - DECAY_SQUARES**n_steps))
    step = mean / xp.where(scale > 0, scale, xp.ones_like(scale))
    return project_ball(rows - rate * step, positive), mean, squares
