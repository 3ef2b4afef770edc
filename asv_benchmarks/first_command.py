"""Run the README's first command, and put the table that it prints into the README.

python asv_benchmarks/first_command.py
"""

import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
BEFORE = "What the first command prints"


def table(output):
    """The table within all that the command prints."""
    return output.split("\n\n")[1]


def replaced(text, block):
    """The README with another first block of text after the sentence above it."""
    head, found, rest = text.partition(BEFORE)
    opening, fence, rest = rest.partition("```text\n")
    _, closing, tail = rest.partition("\n```")
    if not (found and fence and closing):
        raise SystemExit(f"{README}: no block of text after {BEFORE!r}")
    return head + found + opening + fence + block + closing + tail


def main():
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "skdict_sup", "--output", folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    print(done.stdout)
    README.write_text(replaced(README.read_text("utf-8"), table(done.stdout)), "utf-8")


if __name__ == "__main__":
    main()
