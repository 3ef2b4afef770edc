"""Run the demo as `python -m skdict_sup`; see `demo.command`."""

import sys

from .demo.command import main

if __name__ == "__main__":
    sys.exit(main())
