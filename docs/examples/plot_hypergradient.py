"""
Tuning lam by its gradient
==========================

A grid search tries many values of a hyper-parameter. :func:`~skdict_sup.code_vjp` gives the
*gradient* of a validation loss with respect to ``lam``, exactly and for little more than the price
of the codes, so that a few steps of descent do as well.

Here ``lam`` decides how strongly noisy images of digits are denoised: too small and the noise is
coded too, too large and the digit fades.

The figures show the steps on the curve of the loss, and the images for three values. It runs for
about 10 seconds. The guide: :doc:`../user_guide/sparse_coding`, and :doc:`../user_guide/choosing`
for what :func:`~skdict_sup.tune_prior` does with this gradient.
"""

# %%
# A loss that depends on lam
# --------------------------
# The dictionary is learned from clean images. The validation images are noisy, and their clean
# versions are known; the loss is half the mean squared distance between those and the
# reconstructions.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from skdict_sup import ElasticNet, OnlineDictionaryLearning, code_vjp, encode

X, _ = load_digits(return_X_y=True)
X = X / np.linalg.norm(X, axis=1, keepdims=True)
rng = np.random.default_rng(0)
X_train, clean = X[:1200], X[1200:]
noisy = clean + 0.08 * rng.standard_normal(clean.shape)

learner = OnlineDictionaryLearning(100, prior=ElasticNet(lam=0.1), random_state=0)
dictionary = learner.fit(X_train).components_


def loss_and_gradient(lam):
    """Loss of the validation images, and its derivative with respect to lam."""
    prior = ElasticNet(lam=lam)
    code = encode(noisy, dictionary, prior=prior).code
    error = code @ dictionary - clean
    cotangent = error @ dictionary.T / len(noisy)  # derivative with respect to the codes
    gradients = code_vjp(noisy, dictionary, code, cotangent, prior=prior)
    return 0.5 * np.sum(error**2) / len(noisy), float(gradients.prior.lam)


# %%
# The gradient is right
# ---------------------
# A difference quotient agrees with it.

lam, step = 0.1, 1e-6
quotient = (loss_and_gradient(lam + step)[0] - loss_and_gradient(lam - step)[0]) / (2 * step)
print(f"difference quotient {quotient:.8f}, gradient {loss_and_gradient(lam)[1]:.8f}")

# %%
# Descent in the logarithm of lam
# -------------------------------
# ``lam`` is positive and its scale is unknown, so the steps are taken in its logarithm: by the
# chain rule the derivative there is ``lam`` times that above. The length of a step comes from the
# last two derivatives (the secant method), and the sign of the derivative says where to go.


def tune(lam, n_steps=8, longest=1.0):
    """Values of lam that secant steps visit, with their losses."""
    position, previous, visited = np.log(lam), None, []
    for _ in range(n_steps):
        loss, derivative = loss_and_gradient(np.exp(position))
        derivative *= np.exp(position)
        visited.append((np.exp(position), loss))
        step = -np.sign(derivative) * longest
        if previous is not None:
            slope = (derivative - previous[1]) / (position - previous[0])
            if slope > 0:
                step = np.clip(-derivative / slope, -longest, longest)
        previous = position, derivative
        position += step
    return np.array(visited)


runs = {start: tune(start) for start in (0.004, 0.6)}
for start, visited in runs.items():
    print(f"from lam {start}: lam {visited[-1, 0]:.6f}, loss {visited[-1, 1]:.6f}")

# %%
# A grid of 60 values finds the same minimum, with seven times as many codes:

grid = np.geomspace(0.003, 0.8, 60)
losses = [loss_and_gradient(lam)[0] for lam in grid]
print(f"grid: lam {grid[np.argmin(losses)]:.6f}, loss {np.min(losses):.6f}")

figure, axes = plt.subplots(figsize=(7.5, 4), layout="constrained")
axes.semilogx(grid, losses, color="#bbbbbb", linewidth=4, label="grid of 60 values")
for (start, visited), color in zip(runs.items(), ["#c8553d", "#2c6fad"], strict=True):
    axes.plot(*visited.T, "o--", color=color, linewidth=1, label=f"descent from {start:g}")
    for number, (lam, loss) in enumerate(visited[:4]):
        axes.annotate(number, (lam, loss), (0, 7), textcoords="offset points", color=color)
axes.set(xlabel="lam", ylabel="validation loss")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %%
# What it does to images
# ----------------------

best = runs[0.6][-1, 0]
figure, panels = plt.subplots(5, 8, figsize=(8, 5.2), layout="constrained")
rows = {"clean": clean, "noisy": noisy}
for lam, name in ((0.01, "too small"), (best, "tuned"), (0.5, "too large")):
    code = encode(noisy, dictionary, prior=ElasticNet(lam=lam)).code
    rows[f"lam {lam:.2g}\n{name}"] = code @ dictionary
for line, (name, images) in zip(panels, rows.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for panel, image in zip(line, images, strict=False):
        panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=0.35)
        panel.set_xticks([])
        panel.set_yticks([])

plt.show()
