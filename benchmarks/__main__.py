"""Entry point of `python -m benchmarks`."""

import sys

from benchmarks.cli import main

# The driver processes are spawned and import this module again: only the first one may run.
if __name__ == "__main__":
    sys.exit(main())
