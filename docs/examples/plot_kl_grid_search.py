"""
Choosing lam and p of the KL prior
==================================

The KL prior has two hyper-parameters: the weight ``lam``, and the mean ``p``, which sets how near
to zero the many small entries of a code are. Priors are objects with parameters of their own, so
that a grid search in a pipeline reaches both.

The figures show the accuracies of the grid, and how p changes a code. It runs for about 10
seconds. The guide: :doc:`../user_guide/smooth_priors`. The reference: :class:`~skdict_sup.KL`.
"""

# %%
# A pipeline before a linear classifier
# -------------------------------------
# The dictionary is learned without labels. ``split_sign`` hands the two halves of each signed code
# to the classifier.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler

from skdict_sup import KL, ElasticNet, OnlineDictionaryLearning, encode

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

learner = OnlineDictionaryLearning(
    32, prior=KL(lam=0.03, p=0.01), max_iter=5, split_sign=True, random_state=0
)
pipeline = make_pipeline(
    Normalizer(), learner, StandardScaler(), LogisticRegression(C=0.1, tol=1e-2, max_iter=1000)
)
grid = {
    "onlinedictionarylearning__prior__lam": [0.01, 0.03, 0.1],
    "onlinedictionarylearning__prior__p": [1e-4, 1e-2, 1.0],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
print(f"best: {search.best_params_}")
print(f"test accuracy {search.score(X_test, y_test):.3f}")

# %%
# What the grid looks like
# ------------------------

scores = search.cv_results_["mean_test_score"].reshape(3, 3)
figure, axes = plt.subplots(figsize=(4, 3), layout="constrained")
image = axes.imshow(scores, cmap="viridis")
axes.set_xticks(range(3), [f"{p:g}" for p in grid["onlinedictionarylearning__prior__p"]])
axes.set_yticks(range(3), [f"{lam:g}" for lam in grid["onlinedictionarylearning__prior__lam"]])
axes.set(xlabel="p", ylabel="lam")
figure.colorbar(image, label="accuracy, mean of 3 folds")

# %%
# What p does to a code
# ---------------------
# Entries sorted by size, relative to the largest, averaged over the test images: an l1 norm cuts
# codes off at zero, and the KL prior comes near to that as p falls.

signals = X_test / np.linalg.norm(X_test, axis=1, keepdims=True)
dictionary = search.best_estimator_.named_steps["onlinedictionarylearning"].components_


def curve(prior):
    """Mean sorted sizes of codes, each relative to its largest."""
    size = np.sort(np.abs(encode(signals, dictionary, prior=prior).code), axis=1)[:, ::-1]
    return (size / size[:, :1]).mean(axis=0)


figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
axes.plot(curve(ElasticNet(lam=0.1)), "k--", label="l1, lam 0.1")
for p, lam in ((1e-4, 0.015), (1e-2, 0.03), (1.0, 0.5)):
    axes.plot(curve(KL(lam=lam, p=p)), label=f"KL, p {p:g}, lam {lam:g}")
axes.set(xlabel="atoms, sorted by use", ylabel="size of the entry", ylim=(0, 1))
axes.legend(frameon=False)
plt.show()
