"""
Codes in a few layers
=====================

A solver reaches the exact sparse code of a signal in as many steps as it needs. A network whose
layers are made like its steps, and then learned from signals of one kind, comes as near in a few.
This example trains the networks of :class:`~skdict_sup.LISTAEncoder` on the digits of scikit-learn
and draws how far their codes are from the exact ones, layer by layer.

The figure shows one curve for each network; the last lines, how many steps of ISTA a layer is
worth. It runs for less than a minute. The guide: :doc:`../user_guide/encoders`.
"""

# %%
# A dictionary, and exact codes
# -----------------------------
# All networks approximate codes over the same 50 atoms. The suboptimality of a code is its
# objective minus that of the exact code.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skdict_sup import ElasticNet, LISTAEncoder, OnlineDictionaryLearning, encode

X, _ = load_digits(return_X_y=True)
X = X / np.linalg.norm(X, axis=1, keepdims=True)
X_train, X_test = train_test_split(X, test_size=0.3, random_state=0)

prior = ElasticNet(lam=0.1)
dictionary = OnlineDictionaryLearning(50, prior=prior, random_state=0).fit(X_train).components_


def objective(code):
    """Mean objective of codes of the test signals."""
    residual = X_test - code @ dictionary
    return np.mean(0.5 * np.sum(residual**2, axis=1) + prior.value(code))


exact = objective(encode(X_test, dictionary, prior=prior).code)

# %%
# Networks
# --------
# With ``every_layer=True`` the cost is the mean over the layers, so that one network shows the
# whole course. "ista" and "fista" are the solvers themselves, unrolled.

n_layers = 10
architectures = ["ista", "fista", "step", "facnet", "lista", "lfista", "alista"]
encoders = {
    name: LISTAEncoder(
        dictionary,
        architecture=name,
        n_layers=n_layers,
        prior=prior,
        every_layer=True,
        random_state=0,
    ).fit(X_train)
    for name in architectures
}

figure, axes = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
layers = np.arange(1, n_layers + 1)
for name, encoder in encoders.items():
    curve = [objective(encoder.transform(X_test, n_layers=k)) - exact for k in layers]
    style = {"color": "#999999", "linestyle": "--"} if name in ("ista", "fista") else {}
    axes.semilogy(layers, curve, label=name, marker=".", **style)
    print(f"{name}: {curve[-1]:.2e} from the exact objective after {n_layers} layers")
axes.set(xlabel="layers", ylabel="objective, above that of exact codes")
axes.legend(frameon=False, ncols=2)
axes.spines[["top", "right"]].set_visible(False)

# %%
# How many steps is a layer worth?
# --------------------------------
# The number of steps of ISTA that come as near as the networks do at the end:

unrolled = LISTAEncoder(dictionary, architecture="ista", n_layers=300, prior=prior).fit(X_train)
steps = [objective(unrolled.transform(X_test, n_layers=k)) for k in range(1, 301)]
for name in ("fista", "step", "facnet", "lista", "lfista", "alista"):
    reached = objective(encoders[name].transform(X_test))
    n_steps = int(np.argmax(np.array(steps) <= reached)) + 1
    print(f"{n_layers} layers of {name}: as good as {n_steps} steps of ISTA")

plt.show()
