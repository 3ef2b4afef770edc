"""Run the README's main jobs, and put their tables and figures where the README shows them.

Figures go to docs/images. SKDICT_DATA is the folder of mnist.npz; without it, the part of the
README about MNIST stays as it is. `--figures` leaves the tables as they are, which have times of a
quiet machine with two cores.

python asv_benchmarks/first_command.py [--figures]
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, IMAGES = ROOT / "README.md", ROOT / "docs" / "images"
DATA = os.environ.get("SKDICT_DATA")
# what the README says before each table: the arguments of the command, the name of the figure that
# it writes, and the name of that in docs/images, if the README shows it
JOBS = {
    "What the first command prints": ([], "atoms.png", None),
    "and with `--data mnist.npz --components 100`": (
        ["--data", f"{DATA}/mnist.npz", "--components", "100"],
        "atoms.png",
        "atoms.png",
    ),
    "What `python -m skdict_sup image` prints": (["image"], "restored.png", "halftone.png"),
}


def table(output):
    """The table within all that a command prints."""
    return output.split("\n\n")[1]


def replaced(text, before, block):
    """The README with another first block of text after a sentence."""
    head, found, rest = text.partition(before)
    opening, fence, rest = rest.partition("```text\n")
    _, closing, tail = rest.partition("\n```")
    if not (found and fence and closing):
        raise SystemExit(f"{README}: no block of text after {before!r}")
    return head + found + opening + fence + block + closing + tail


def main():
    with_tables = "--figures" not in sys.argv[1:]
    for before, (arguments, figure, shown) in JOBS.items():
        if ("mnist" in before and DATA is None) or not (with_tables or shown):
            print(f"left as it is: {before}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            # the job on photographs takes the file that it writes, the other one a folder
            target = str(Path(folder, figure)) if "image" in arguments else folder
            command = [sys.executable, "-m", "skdict_sup", *arguments, "--output", target]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(done.stdout)
            if shown:
                shutil.copyfile(Path(folder, figure), IMAGES / shown)
        if with_tables:
            text = replaced(README.read_text("utf-8"), before, table(done.stdout))
            README.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
