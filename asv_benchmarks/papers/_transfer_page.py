"""The page of the transfer from one kind of images to another."""

import numpy as np
from _common import opening, table

PAPER = {  # accuracy % of table 5, on handwritten letters
    100: {"PCA": 46.9, "L1": 44.0, "KL": 49.4, "KL + backprop": 50.7},
    500: {"PCA": 61.2, "L1": 63.7, "KL": 69.2, "KL + backprop": 69.9},
    1000: {"PCA": 66.7, "L1": 69.5, "KL": 75.0, "KL + backprop": 76.4},
    5000: {"PCA": 76.0, "L1": 78.9, "KL": 82.5, "KL + backprop": 84.2},
    20_000: {"PCA": 79.7, "L1": 83.3, "KL": 86.0, "KL + backprop": 89.1},
}


def _shown(values):
    spread = f" ± {np.std(values):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _counts(task):
    """What the three sets of a task contain, in words."""
    words = []
    for name, (n, writers) in task.counts.items():
        by = "" if writers is None else f" of {writers} writers"
        words.append(f"{n} images{by} ({name})")
    return ", ".join(words)


def _section(task, found):
    """Lines about one task."""
    columns = list(next(iter(found.values())))
    accuracies = [
        [n, *(_shown(by_column[name].test) for name in columns)] for n, by_column in found.items()
    ]
    details = [
        [n, name, f"{r.validation:.1f}", f"{r.seconds:.1f}", r.chosen]
        for n, by_column in found.items()
        for name, r in by_column.items()
    ]
    gains = [
        [n, *(f"{np.mean(by[name].test) - np.mean(by['PCA'].test):+.1f}" for name in columns[1:])]
        for n, by in found.items()
    ]
    return [
        f"## From {task.name}",
        "",
        f"Source: {task.source_name}, {len(task.source)} images without labels,"
        f" {task.source.shape[1]} principal components. Target: {task.target_name},"
        f" {task.n_classes} classes; {_counts(task)}.",
        "",
        "Accuracy on test images in %, mean and standard deviation over draws of labels:",
        "",
        *table(["labels", *columns], accuracies),
        "",
        "Points above PCA:",
        "",
        *table(["labels", *columns[1:]], gains),
        "",
        "Accuracy on held-out images, seconds of processor time of one fit with the chosen"
        " setting, and what was chosen:",
        "",
        *table(["labels", "features", "held out", "seconds", "chosen"], details),
        "",
    ]


def page(found, settings, about, quick):
    """The page, as lines, for pairs of a task and its results."""
    lines = opening("Transfer", "transfer.py", about, quick, ("mnist.npz",), folder="papers")
    lines += [
        "A dictionary is learned from images of one kind, without labels, and images of another"
        " kind are classified with few labels, as in table 5 of Bradley and Bagnell, 2008. Images"
        " are reduced to the principal components of the source and scaled to norm one; PCA is"
        " maxent on these signals; PCA, distorted also has distorted copies of them, up to 20 of"
        " each. L1 and KL are maxent on the two halves of codes over"
        f" {settings.atoms} atoms, learned from the source (`ElasticNet(lam=0.1)`). KL + backprop"
        " is `SupervisedDictionaryClassifier` with these atoms as `init`, label smoothing 0.1 and"
        " no linear path; where signals are distorted, their images are turned and sheared (8"
        " degrees), scaled (10 %) and shifted (one pixel of 28) at random (`RandomAffine`)."
        " Defaults are those of `SupervisedDictionaryClassifier`, without the source. lam, p, C,"
        " the rate and distortions are chosen for each number of labels on held-out training"
        " images, those of backpropagation on the first draw of labels; defaults choose from"
        " their labels alone. No writer is in two of the sets. Test images give the figures"
        " alone.",
        "",
    ]
    for task, results in found:
        lines += _section(task, results)
    if any(task.target_name == "rendered letters" for task, _ in found):
        lines += [
            "The letters are rendered from the fonts that Matplotlib contains: each writer has a"
            " font, a slant, proportions, a stroke width and a bent form of each letter, and each"
            " image is changed further. Test writers have fonts that no other writer has."
            " How far writers and images differ was set so that maxent on principal"
            " components of held-out training writers reaches about the accuracy that it has in"
            " the paper, before anything else was tried. `--source` and `--target` name files"
            " with other images.",
            "",
            "## The paper",
            "",
            "Accuracy in % of table 5, for handwritten letters that are not bundled:",
            "",
        ]
        columns = list(PAPER[100])
        rows = [[n, *(by[name] for name in columns)] for n, by in PAPER.items()]
        lines += table(["labels", *columns], rows)
    return lines
