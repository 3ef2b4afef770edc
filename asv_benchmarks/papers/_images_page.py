"""The page and the figure of the restored photographs."""

import numpy as np
from _common import new_figure, opening, table

TITLES = {
    "halftone": "Inverse halftoning",
    "denoise": "Denoising",
    "zoom": "Zoom",
    "deblur": "Deblurring",
    "inpaint": "Missing pixels",
}
TEXTS = {
    "halftone": "Halftones by error diffusion (Floyd and Steinberg). The Gaussian filter has the"
    " width that is best on training photographs. Unsupervised linked dictionaries are atoms"
    " learned on halftone patches alone, with a ridge regression from codes to clean patches. The"
    " ridge regression that follows the supervised dictionary sees its result beside the halftone;"
    " its seconds of learning include restoring the training photographs.",
    "denoise": "Gaussian noise of standard deviation 15, 25 and 50 grey levels, not clipped."
    " `DictionaryDenoiser` learns from each noisy image alone, and is told the level of noise, as"
    " BM3D is (the package `bm3d`, which its authors publish).",
    "zoom": "Images are reduced by bicubic interpolation with antialiasing, and enlarged again by"
    " bicubic interpolation, which is the input of all methods.",
    "deblur": "Blur with mirrored edges, then Gaussian noise, in grey levels. The methods of"
    " scikit-image know the kernel and see the image mirrored at its edges. The Wiener filter and"
    " Richardson-Lucy have the balance and the number of steps that are best on training"
    " photographs.",
    "inpaint": "Missing pixels are drawn at random, in %; other pixels stay. `DictionaryInpainter`"
    " learns from each incomplete image alone, or from the training photographs.",
}
CHANGES = (
    "Supervised dictionaries with a short training, and what single changes gain, on the eight"
    " photographs that are held out."
)
PARAGRAPHS = [
    "PSNR in dB, with a margin of 4 pixels left out; higher is better. Methods learn from 52 of"
    " the sixty photographs of the training set, where they learn from photographs at all. Their"
    " settings were chosen on the eight others, the column *held out*; the twelve test images"
    " (Set12) were used for nothing else. *Six* is the mean of lena, peppers, boat, barbara, house"
    " and cameraman. Seconds are those of learning, and of one image of 512 x 512 pixels, beside"
    " whatever else ran.",
    "",
]
SHOWN = "house"


def page(results, about, quick, six):
    """The page, as lines."""
    files = ("images_train.npz", "images_test.npz")
    lines = opening("Restored photographs", "images.py", about, quick, files, folder="papers")
    lines += PARAGRAPHS
    tasks = {part: found for part, found in results.items() if part != "attempts"}
    for part, levels in tasks.items():
        lines += [f"## {TITLES[part]}", "", TEXTS[part], "", *_means(levels, six), ""]
    lines += ["![House, restored](images.png)", ""]
    for part, levels in tasks.items():
        lines += [f"## {TITLES[part]}: each test image", "", *_each(levels), ""]
    if "attempts" in results:
        lines += ["## Changes of settings", "", CHANGES, "", *_changes(results["attempts"])]
    return lines


def _changes(attempts):
    """Table of the gain of each change over the first settings."""
    rows = []
    for (task, level), methods in attempts.items():
        start = None
        for name, result in methods.items():
            mean = np.mean(list(result.psnr["held_out"].values()))
            gain = "" if start is None else f"{mean - start:+.2f}"
            start = mean if start is None else start
            rows.append([f"{TITLES[task]}, {level}", name, f"{mean:.2f}", gain])
    return table(["task", "settings", "held out", "gain"], rows)


def _means(levels, six):
    """Table of means, by level and method."""
    rows = []
    for level, methods in levels.items():
        for name, result in methods.items():
            test = result.psnr["test"]
            some = [test[key] for key in six if key in test]
            means = [np.mean(list(result.psnr["held_out"].values())), np.mean(list(test.values()))]
            rows.append(
                [
                    *(str(level), name, *(f"{mean:.2f}" for mean in means)),
                    *(
                        f"{np.mean(some):.2f}",
                        f"{np.mean(list(result.ssim['test'].values())):.3f}",
                    ),
                    *(f"{result.fit_seconds:.0f}", f"{result.seconds:.1f}"),
                ]
            )
    header = ["level", "method", "held out", "Set12", "six", "SSIM, Set12", "learning, s", "s"]
    return table(header, rows)


def _each(levels):
    """Table of each test image, by level and method."""
    names = list(next(iter(next(iter(levels.values())).values())).psnr["test"])
    rows = [
        [str(level), method, *(f"{result.psnr['test'][name]:.2f}" for name in names)]
        for level, methods in levels.items()
        for method, result in methods.items()
    ]
    return table(["level", "method", *names], rows)


def draw(results, images, path):
    """For each task: the input or the simplest method, the best one of ours, and the truth."""
    figure = new_figure(9, 2.9 * len(results))
    panels = figure.subplots(len(results), 4, squeeze=False)
    for line, (part, levels) in zip(panels, results.items(), strict=True):
        level, methods = list(levels.items())[len(levels) // 2]
        names = list(methods)
        for panel, name in zip(line, (names[0], names[-2], names[-1]), strict=False):
            result = methods[name]
            panel.imshow(result.pictures[SHOWN], cmap="gray", vmin=0, vmax=255)
            panel.set_title(f"{name}\n{result.psnr['test'][SHOWN]:.2f} dB", fontsize=8)
        line[3].imshow(images.test[SHOWN], cmap="gray", vmin=0, vmax=1)
        line[3].set_title("original", fontsize=8)
        line[0].set_ylabel(f"{TITLES[part]}, {level}", fontsize=8)
        for panel in line:
            panel.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=110)
