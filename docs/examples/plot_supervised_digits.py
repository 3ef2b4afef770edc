"""
Atoms that learn to tell digits apart
=====================================

A dictionary that is learned without labels has atoms that rebuild the signals well. A dictionary
that is learned *with* labels has atoms whose codes a linear model can classify: the gradient of
the classification loss goes through the codes to the atoms. This example learns both from the
handwritten digits of scikit-learn, and compares a linear classifier on pixels, on codes over the
first dictionary, and on codes over the second.

The last figures show atoms before and after, and what that changes in the errors. It runs for
about 30 seconds. The guide: :doc:`../user_guide/supervised`. The reference:
:class:`~skdict_sup.SupervisedDictionaryClassifier`, :class:`~skdict_sup.OnlineDictionaryLearning`.
"""

# %%
# Data
# ----
# Each digit is an image of 8 by 8 pixels. Images are scaled to norm one, so that the strength of a
# pen does not count.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import OnlineDictionaryLearning, SupervisedDictionaryClassifier
from skdict_sup.plotting import DictionaryDisplay, LossCurveDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)

# %%
# Three pipelines
# ---------------
# The second and the third have dictionaries of 50 atoms and start from the same one:
# :class:`~skdict_sup.SupervisedDictionaryClassifier` begins without labels too. All of them are
# used like any estimator of scikit-learn.

pipelines = {
    "pixels": make_pipeline(Normalizer(), LogisticRegression(C=100.0, max_iter=2000)),
    "codes, learned without labels": make_pipeline(
        Normalizer(),
        OnlineDictionaryLearning(50, random_state=0),
        LogisticRegression(C=100.0, max_iter=2000),
    ),
    "codes, learned with labels": make_pipeline(
        Normalizer(), SupervisedDictionaryClassifier(50, random_state=0)
    ),
}
errors = {}
for name, pipeline in pipelines.items():
    errors[name] = 100 * (1 - pipeline.fit(X_train, y_train).score(X_test, y_test))
    print(f"{name}: {errors[name]:.1f} % test error")

# %%
# What supervision does to the atoms
# ----------------------------------
# To see the same atoms before and after, the supervised estimator starts from the atoms of the
# unsupervised one. It takes longer steps than it chooses by itself for so few samples, and its
# linear model sees codes alone, so that all that is learned shows in the atoms. They are in order
# of how far they moved, the farthest first.

normalized = Normalizer().transform(X_train)
before = OnlineDictionaryLearning(50, random_state=0).fit(normalized).components_
settings = {"learning_rate": 0.16, "standardise": False, "fit_offset": False, "fit_linear": False}
classifier = SupervisedDictionaryClassifier(50, init=before, random_state=0, **settings)
after = classifier.fit(normalized, y_train).components_
error = 100 * (1 - classifier.score(Normalizer().transform(X_test), y_test))
print(f"these codes: {error:.1f} % test error")
order = np.argsort(np.linalg.norm(after - before, axis=1))[::-1]

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), layout="constrained")
for axes, atoms, title in (
    (left, before, "learned without labels"),
    (right, after, "the same atoms, after learning with labels"),
):
    # each atom is scaled by its largest pixel; red is ink, blue is its absence
    DictionaryDisplay(atoms[order], image_shape=(8, 8)).plot(axes, columns=10, cmap="RdBu_r")
    axes.set_title(title)

# %%
# Whole digits, good for rebuilding, turn into *differences*: ink here and none there, which is
# what tells one class from another.
#
# Errors
# ------
# Without labels, the codes of so small a dictionary are no better for a linear classifier than the
# pixels. With labels they are.

figure, axes = plt.subplots(figsize=(7, 2.2), layout="constrained")
bars = axes.barh(list(errors), list(errors.values()), color=["#bbbbbb", "#7fa7c9", "#2c6fad"])
axes.bar_label(bars, fmt="%.1f %%", padding=4)
axes.invert_yaxis()
axes.set(xlabel="test error (%)", xlim=(0, 1.2 * max(errors.values())))
axes.spines[["top", "right"]].set_visible(False)

# %%
# The training
# ------------
# The loss falls as the step sizes rise and fall.

LossCurveDisplay.from_estimator(classifier)

plt.show()
