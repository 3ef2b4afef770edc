"""Code of the pages of the documentation, and what the pages say that it prints.

`python tests/support/page_code.py PAGE...` runs pages and writes what their blocks print into
them, below each block that has a block of output already.
"""

import ast
import io
import re
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn.datasets

ROOT = Path(__file__).resolve().parents[2]
NUMBER = r"(?<![\w.])[-+]?\d+\.\d*(?:e[-+]?\d+)?|(?<![\w.])[-+]?\d+e[-+]?\d+"  # no integers
RST = re.compile(
    r"^\.\. code-block:: python\n\n(?P<code>(?:    .*\n|\n)+)"
    r"(?:\.\. code-block:: text\n\n(?P<output>(?:    .*\n|\n)+))?",
    re.MULTILINE,
)
RST_WITH_NEEDS = re.compile(
    r"^\.\. code-block:: python\n    :caption: (?P<needs>.+)\n\n(?P<code>(?:    .*\n|\n)+)",
    re.MULTILINE,
)
MARKDOWN_WITH_NEEDS = re.compile(
    r"^```python (?P<needs>[^\n]+)\n(?P<code>.*?)^```\n", re.MULTILINE | re.DOTALL
)
MARKDOWN = re.compile(
    r"^```python\n(?P<code>.*?)^```\n(?:\n?```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


load_digits = sklearn.datasets.load_digits


def pages():
    """The README and the pages of the guide."""
    found = [ROOT / "README.md"]
    for folder in ("", "user_guide", "how_to", "migration"):
        files = sorted((ROOT / "docs" / folder).glob("*"))
        found += [file for file in files if file.suffix in (".rst", ".md")]
    return [file for file in found if file.exists()]


def few_digits(**settings):
    """The digits 0, 1 and 2, and few of them, in place of `load_digits(return_X_y=True)`."""
    X, y = load_digits(return_X_y=True)
    rows = np.flatnonzero(y < 3)[:60]
    return X[rows], y[rows]


@dataclass(frozen=True)
class Block:
    """Code of a page, what the page says that it prints (or None), and where that stands."""

    code: str
    output: str | None
    place: tuple[int, int]


def blocks(page):
    """Blocks of Python in a page, in order; those with an option are left out."""
    text = page.read_text(encoding="utf-8")
    pattern = MARKDOWN if page.suffix == ".md" else RST
    return [
        Block(dedented(m["code"]), m["output"] and dedented(m["output"]), m.span("output"))
        for m in pattern.finditer(text)
    ]


def blocks_with_needs(page):
    """Blocks of Python in a page that say what they need, in order: pairs of that and the code."""
    text = page.read_text(encoding="utf-8")
    pattern = MARKDOWN_WITH_NEEDS if page.suffix == ".md" else RST_WITH_NEEDS
    return [(m["needs"], dedented(m["code"])) for m in pattern.finditer(text)]


def dedented(part):
    """Lines of a block without the indentation that it has in a page."""
    return re.sub(r"^    ", "", part, flags=re.MULTILINE).strip("\n") + "\n"


def run(code, names, page):
    """What code prints, and the value of its last expression, as in a notebook."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, str(page), "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), str(page), "eval"), names)
            if value is not None:
                print(repr(value))
    return printed.getvalue()


def alike(expected, found):
    """Whether outputs are equal up to spaces and to the last digits of numbers.

    Numbers with a decimal point or an exponent may differ by 2 %, or by a unit of the last digit,
    as they do between processors, and those below 1e-6, which are rounding errors, by any amount.
    """
    words = [" ".join(re.sub(NUMBER, " # ", text).split()) for text in (expected, found)]
    numbers = [re.findall(NUMBER, text) for text in (expected, found)]
    return words[0] == words[1] and all(map(near, *numbers))


def near(expected, found):
    """Whether two printed numbers are equal, by the rule of `alike`."""
    a, b = float(expected), float(found)
    mantissa, _, exponent = expected.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    largest = max(abs(a), abs(b))
    return largest < 1e-6 or abs(a - b) <= max(0.02 * largest, 1.01 * unit)


def write_outputs(page):
    """Run a page and replace the outputs that it shows."""
    text, names, parts, done = page.read_text(encoding="utf-8"), {"__name__": page.stem}, [], 0
    indent = "" if page.suffix == ".md" else "    "
    for block in blocks(page):
        found = run(block.code, names, page)
        if block.output is not None:
            start, end = block.place
            lines = "".join(indent + line + "\n" if line else "\n" for line in found.splitlines())
            parts += [text[done:start], lines + ("" if page.suffix == ".md" else "\n")]
            done = end
    page.write_text("".join(parts) + text[done:], encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        write_outputs(Path(name))
