"""
Choosing the sparsity of a code
===============================

``lam`` weighs the l1 norm of a code against the error of its reconstruction: the larger it is, the
fewer atoms describe a signal. This example shows what changes along the path of ``lam``, and lets
:class:`~sklearn.model_selection.GridSearchCV` choose ``lam`` and the number of atoms for a
classifier of the codes. A prior is an object with parameters, so that a search reaches them by
name.

The figures show nonzeros and errors along the path, one image rebuilt at four values, and the
errors of the search. It runs for about 10 seconds. The guide: :doc:`../user_guide/choosing`. The
reference: :func:`~skdict_sup.codes_path`, :class:`~skdict_sup.ElasticNet`.
"""

# %%
# Along the path, one dictionary
# ------------------------------
# A code over a dictionary of 50 atoms, learned once: few atoms and a coarse reconstruction on the
# right, many atoms and a fine one on the left. Signals have norm one, so that ``lam`` is at most
# one.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer

from skdict_sup import ElasticNet, OnlineDictionaryLearning, codes_path

X, y = load_digits(return_X_y=True)
X = Normalizer().transform(X)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)
learner = OnlineDictionaryLearning(50, prior=ElasticNet(lam=0.1), random_state=0)
dictionary = learner.fit(X_train).components_

path = np.geomspace(0.005, 0.8, 15)
nonzeros, lost = [], []
for solution in codes_path(X_test, dictionary, path):
    code = solution.code
    nonzeros.append((code != 0).sum(axis=1).mean())
    lost.append(100 * np.mean(np.sum((X_test - code @ dictionary) ** 2, axis=1)))

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.semilogx(path, nonzeros, "o-", color="#2c6fad")
axes.set(xlabel="lam", ylabel="nonzeros in a code")
axes.yaxis.label.set_color("#2c6fad")
other = axes.twinx()
other.semilogx(path, lost, "s-", color="#c8553d")
other.set(ylabel="energy not rebuilt (%)", ylim=(0, 100))
other.yaxis.label.set_color("#c8553d")

# %%
# One image, rebuilt at four values of ``lam``:

chosen = X_test[3]
shown = [0.01, 0.05, 0.2, 0.5]
figure, panels = plt.subplots(1, 5, figsize=(9, 2.3), layout="constrained")
panels[0].imshow(chosen.reshape(8, 8), cmap="gray_r", vmin=0, vmax=chosen.max())
panels[0].set_title("signal")
codes = [solution.code for solution in codes_path(chosen[None, :], dictionary, shown)]
for panel, lam, code in zip(panels[1:], shown, codes, strict=True):
    image = (code @ dictionary).reshape(8, 8)
    panel.imshow(image, cmap="gray_r", vmin=0, vmax=chosen.max())
    panel.set_title(f"lam {lam:g}\n{np.count_nonzero(code)} atoms")
for panel in panels:
    panel.set_xticks([])
    panel.set_yticks([])

# %%
# A search over ``lam`` and the number of atoms
# ---------------------------------------------
# ``dictionary__prior__lam`` reads: the step named "dictionary", its parameter ``prior``, and of
# that the parameter ``lam``.

pipeline = Pipeline(
    [
        ("dictionary", OnlineDictionaryLearning(prior=ElasticNet(), max_iter=3, random_state=0)),
        ("classifier", LogisticRegression(C=100.0, max_iter=2000)),
    ]
)
grid = {
    "dictionary__n_components": [25, 50, 100],
    "dictionary__prior__lam": [0.03, 0.1, 0.2, 0.4],
}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
print(search.best_params_)
print(f"test error of the best: {100 * (1 - search.score(X_test, y_test)):.1f} %")

# %%
# Errors of cross-validation:

results = search.cv_results_
shape = [len(values) for values in grid.values()]
errors = 100 * (1 - results["mean_test_score"].reshape(shape))
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for n_components, row, color in zip(
    grid["dictionary__n_components"], errors, ["#a8c6df", "#5d97c5", "#1c5a94"], strict=True
):
    axes.semilogx(
        grid["dictionary__prior__lam"], row, "o-", color=color, label=f"{n_components} atoms"
    )
axes.set(xlabel="lam", ylabel="error in cross-validation (%)", ylim=(0, None))
axes.set_xticks(grid["dictionary__prior__lam"], grid["dictionary__prior__lam"])
axes.minorticks_off()
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

plt.show()
