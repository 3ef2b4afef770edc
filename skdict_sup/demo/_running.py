"""What the commands share: errors for the user, exit codes, tables, and files."""

import os
import signal
import sys
import textwrap
import threading
from contextlib import contextmanager

from .._files import write_atomically

_WIDTH = 79  # columns of the output


class DataError(Exception):
    """Invalid input, described in one line for the user."""


class _Terminated(BaseException):
    """SIGTERM as an exception, so that partial files are removed."""


def exit_code(job):
    """Run a job and return the exit code of the process.

    The code is 0 for success, 2 for invalid input or output that cannot be written, 130 after
    Ctrl-C, 141 after a closed output pipe, 143 after SIGTERM.
    """
    try:
        with _raised_on_termination():
            job()
            if sys.stdout is not None:
                sys.stdout.flush()
    except (DataError, MemoryError) as error:
        reason = str(error) if isinstance(error, DataError) else "not enough memory for the data"
        print(f"skdict_sup: {reason}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        _discard_output()
        return 141
    except OSError as error:
        _discard_output()
        print(f"skdict_sup: the output cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    except (KeyboardInterrupt, _Terminated) as stopped:
        print("\nskdict_sup: interrupted", file=sys.stderr)
        return 143 if isinstance(stopped, _Terminated) else 130
    return 0


@contextmanager
def _raised_on_termination():
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can handle signals
        return

    def stop(number, frame):
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _discard_output():
    """Redirect stdout to the null device, so that the final flush does not fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def progress(line):
    """Print a line about the state of the job."""
    print(f"  {line}", flush=True)


def wrapped(text):
    """Text in lines that fit into a terminal of 80 columns, except for longer words."""
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)


def compiled(prepare, has_table=True):
    """Call a function that compiles and returns its time in seconds; return and report these."""
    progress("compiling, or loading what an earlier run has compiled ...")
    seconds = prepare()
    apart = ", which the table does not count" if has_table else ""
    progress(f"... took {seconds:.1f} s{apart}")
    return seconds


def print_total(seconds, seconds_before):
    """Print the time of the job in seconds, with that of compilation."""
    print(f"{seconds:.0f} s in total, {seconds_before:.0f} s of them for compilation")


def table(lines, note):
    """Text of a table: a head and rows of cells, names to the left, and a note below."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(
            c.ljust(w) if i == 0 else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join(["", text[0], "-" * len(text[0]), *text[1:], note, ""])


def write_output(target, write):
    """Write a file atomically; raise DataError if that is impossible."""
    try:
        write_atomically(target, write)
    except OSError as error:
        raise DataError(f"{target} cannot be written: {error.strerror or error}") from None
