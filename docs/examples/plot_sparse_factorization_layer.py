"""
A sparse factorization layer, with few labels
=============================================

:class:`~skdict_sup.nn.SparseFactorization` is a layer for PyTorch in place of a fully connected
layer and the rectifier behind it. Its output is the sparse code of its input, and how well the
code describes the input is a loss that needs no labels. This example trains a small network on
noisy images of digits, most of which have no label. It needs PyTorch.

The figures show accuracies by the number of labels, atoms, and reconstructions of noisy images. It
runs for less than a minute. The guide: :doc:`../user_guide/nn`.
"""

# %%
# Noisy digits
# ------------
# The noise is strong: its standard deviation is 0.3, for pixels between 0 and 1. All images are
# noisy, those of the test set too.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from skdict_sup import ElasticNet
from skdict_sup.nn import MuSchedule, SemiSupervisedLoss, SparseFactorization
from skdict_sup.plotting import DictionaryDisplay

torch.set_num_threads(1)  # networks and batches are small
clean, digits = load_digits(return_X_y=True)
clean = torch.as_tensor(clean / 16, dtype=torch.float32)
digits = torch.as_tensor(digits)
images = clean + 0.3 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
train, test = train_test_split(
    np.arange(len(images)), test_size=0.3, stratify=digits, random_state=0
)

# %%
# Three networks
# --------------
# Each network has 50 hidden units. lam is relative to the scale of the input, and codes are
# nonnegative, as the pixels are. The settings were chosen on images held out of the training set;
# the test set was not used.

N_STEPS, N_HIDDEN = 100, 50
PRIOR = ElasticNet(lam="0.2*lam_max", lam2=0.1, positive=True)


def connected():
    """Network with a fully connected layer and a rectifier."""
    return nn.Sequential(nn.Linear(64, N_HIDDEN), nn.ReLU(), nn.Linear(N_HIDDEN, 10))


def factorized():
    """Network with a sparse factorization layer in their place."""
    return nn.Sequential(SparseFactorization(64, N_HIDDEN, prior=PRIOR), nn.Linear(N_HIDDEN, 10))


def optimizer_for(model):
    """Adam, with smaller steps for atoms than for a linear model of their codes."""
    if isinstance(model[0], nn.Linear):
        return torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3)
    groups = [
        {"params": model[0].parameters(), "lr": 0.003, "weight_decay": 0.0},
        {"params": model[1].parameters(), "lr": 0.03},
    ]
    return torch.optim.Adam(groups, weight_decay=1e-3)


# %%
# With labels alone, the loss is the cross-entropy of the labelled images. Semi-supervised training
# first learns the dictionary from all images, by ``initialise_from``. Then each step has a batch
# of labelled images for the cross-entropy, and a batch of all images for the sparse-coding
# objective, whose weight ``mu`` decreases from 0.8 to 0.


def fit(model, labelled, others=None):
    """Train a model on labelled images, and on others if there are some."""
    optimizer, criterion = optimizer_for(model), nn.CrossEntropyLoss()
    generator = torch.Generator().manual_seed(0)
    if others is not None:
        model[0].initialise_from(images[others].split(200), random_state=0)
        loss = SemiSupervisedLoss(model, criterion)
        schedule = MuSchedule(loss, milestones=[N_STEPS // 4, N_STEPS // 2, 3 * N_STEPS // 4])
    for _ in range(N_STEPS):
        batch = labelled[torch.randperm(len(labelled), generator=generator)[:64]]
        output, target = model(images[batch]), digits[batch]
        if others is None:
            value = criterion(output, target)
        else:
            drawn = others[torch.randint(len(others), (100,), generator=generator)]
            value = loss(output, target, unlabelled=images[drawn])
            schedule.step()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return model.eval()


def accuracy(model):
    """Accuracy on the test set, in percent."""
    with torch.no_grad():
        return 100 * float((model(images[test]).argmax(dim=1) == digits[test]).float().mean())


# %%
# Test accuracy
# -------------
# For each number of labels, the mean and the standard deviation of five draws of the labelled
# images.

numbers = [25, 50, 100, 200]
names = ["fully connected", "sparse factorization", "sparse factorization, semi-supervised"]
accuracies = {name: np.zeros((5, len(numbers))) for name in names}
for draw in range(5):
    for column, n in enumerate(numbers):
        labelled, _ = train_test_split(
            train, train_size=n, stratify=digits[train], random_state=draw
        )
        torch.manual_seed(draw)
        alone, together = factorized(), factorized()
        models = [fit(connected(), labelled), fit(alone, labelled), fit(together, labelled, train)]
        for name, model in zip(names, models, strict=True):
            accuracies[name][draw, column] = accuracy(model)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
colors = ["#999999", "#7fa7c9", "#2c6fad"]
for (name, values), color in zip(accuracies.items(), colors, strict=True):
    axes.errorbar(numbers, values.mean(axis=0), values.std(axis=0), label=name, color=color)
    print(f"{name}: " + ", ".join(f"{v:.1f} %" for v in values.mean(axis=0)))
axes.set(xscale="log", xlabel="labels", ylabel="test accuracy (%)")
axes.set_xticks(numbers, numbers)
axes.minorticks_off()
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %%
# Atoms and reconstructions
# -------------------------
# With labels alone, atoms stay close to their random initial values. The loss without labels makes
# them parts of digits, so that the reconstruction of an image, its code times the dictionary, has
# less noise. Reconstructions are paler than the images because lam shrinks the codes.

figure, panels = plt.subplots(1, 2, figsize=(9, 2.7), layout="constrained")
for axes, model, title in zip(
    panels, (alone, together), ("labels alone", "semi-supervised"), strict=True
):
    atoms = model[0].dictionary.detach().numpy()
    DictionaryDisplay(atoms, image_shape=(8, 8)).plot(axes, columns=10, cmap="RdBu_r")
    axes.set_title(f"atoms: {title}")

figure, panels = plt.subplots(4, 10, figsize=(9, 3.9), layout="constrained")
shown = test[:10]
rows = {"clean": clean[shown], "noisy": images[shown]}
for name, model in (("labels alone", alone), ("semi-supervised", together)):
    with torch.no_grad():
        rows[name] = model[0](images[shown]) @ model[0].dictionary
for line, (name, pixels) in zip(panels, rows.items(), strict=True):
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for panel, image in zip(line, pixels, strict=True):
        panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        panel.set_xticks([])
        panel.set_yticks([])

plt.show()
