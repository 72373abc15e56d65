"""`python -m orchestrator.management.guarded MODULE ARGUMENTS`: runs a module that ends with its parent.

The parent holds the other end of standard input. When the parent is gone, by whatever means and on whatever platform,
standard input ends, and so does this process.
"""

import os
import runpy
import sys
import threading
import traceback


def main() -> None:
    """Runs the module the arguments name as `__main__`, and ends the process with its status."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.argv[:] = sys.argv[1:]
    status = 0
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        status = _status(ended)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: a thread of the SDK's native part that is about to return from a callback aborts the process when
    # the interpreter is torn down under it (sdk-python issue 300, "PyGILState_Release").
    os._exit(status)


def _status(ended: SystemExit) -> int:
    """The exit status a SystemExit stands for; a text is printed, as Python does."""
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


def _end_with_parent() -> None:
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
