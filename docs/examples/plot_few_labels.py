"""
Few labels, many signals
========================

Signals are often many and labels few. With ``mu`` above zero the supervised estimators take
samples of label -1 as unlabelled: the dictionary is learned from all signals, and goes on
describing all of them while the labelled ones teach it what to tell apart. This example hides most
labels of noisy digits, and compares classifiers that see the labelled images alone with one that
sees all.

The figure shows test errors by the number of labels. It runs for about 40 seconds. The guide:
:doc:`../user_guide/supervised`. The reference:
:class:`~skdict_sup.SupervisedDictionaryClassifier`.
"""

# %%
# Hidden labels
# -------------
# The noise has a standard deviation of 0.3, for pixels between 0 and 1: what is common to all
# images is hard to see in a few of them.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skdict_sup import SupervisedDictionaryClassifier

X, y = load_digits(return_X_y=True)
X = X / 16 + np.random.default_rng(0).normal(scale=0.3, size=X.shape)
X = X / np.linalg.norm(X, axis=1, keepdims=True)

numbers = [60, 120, 240, 480]
names = ["pixels", "labelled images alone", "all images"]
errors = {name: np.zeros((3, len(numbers))) for name in names}
settings = {
    "n_components": 50,
    "max_iter": 10,
    # the same for all numbers of labels, in place of a choice on so few samples
    "standardise": False,
    "fit_offset": False,
    "fit_linear": False,
    "random_state": 0,
}

for split in range(3):
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=split)
    for column, n in enumerate(numbers):
        hidden = y_train.copy()
        hidden[n:] = -1
        pixels = LogisticRegression(C=10.0, max_iter=2000).fit(X_train[:n], y_train[:n])
        alone = SupervisedDictionaryClassifier(**settings).fit(X_train[:n], y_train[:n])
        together = SupervisedDictionaryClassifier(mu=0.9, **settings).fit(X_train, hidden)
        for name, model in zip(names, (pixels, alone, together), strict=True):
            errors[name][split, column] = 100 * (1 - model.score(X_test, y_test))

# %%
# Test errors
# -----------
# With the same labels, the other images lower the error.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, values), color in zip(errors.items(), ["#999999", "#7fa7c9", "#2c6fad"], strict=True):
    axes.errorbar(numbers, values.mean(axis=0), values.std(axis=0), label=name, color=color)
    print(f"{name}: " + ", ".join(f"{v:.1f} %" for v in values.mean(axis=0)))
axes.set(xscale="log", xlabel="labels", ylabel="test error (%)")
axes.set_xticks(numbers, numbers)
axes.minorticks_off()
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

plt.show()
