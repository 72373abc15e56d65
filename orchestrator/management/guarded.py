"""`python -m orchestrator.management.guarded MODULE ARGUMENTS`: runs a module that ends with its parent.

The parent holds the other end of standard input. When the parent is gone, by whatever means and on whatever platform,
standard input ends, and so does this process.
"""

import os
import runpy
import sys
import threading


def main() -> None:
    """Runs the module the arguments name as `__main__`."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    module = sys.argv[1]
    sys.argv[:] = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
