"""Run the README's first command and the job on photographs, and put their tables into the README.

The figure of photographs goes to docs/images/halftone.png.

python asv_benchmarks/first_command.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README, FIGURE = ROOT / "README.md", ROOT / "docs" / "images" / "halftone.png"
DIGITS, PHOTOGRAPHS = "What the first command prints", "What `python -m skdict_sup image` prints"


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
    with tempfile.TemporaryDirectory() as folder:
        jobs = {DIGITS: ["--output", folder], PHOTOGRAPHS: ["image", "--output", str(FIGURE)]}
        for before, arguments in jobs.items():
            command = [sys.executable, "-m", "skdict_sup", *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(done.stdout)
            text = replaced(README.read_text("utf-8"), before, table(done.stdout))
            README.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
