"""No Python file is longer than 700 lines: past that, there is a seam somebody has not cut yet."""

import sys
from pathlib import Path

LIMIT = 700
SKIPPED = {"migrations", "build", "dist", "node_modules"}


def main() -> int:
    """Prints the files that are too long; returns 1 when there is one."""
    root = Path(__file__).resolve().parent.parent
    too_long = 0
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if SKIPPED.intersection(parts) or any(part.startswith(".") and part != ".ci" for part in parts):
            continue
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LIMIT:
            print(f"{path.relative_to(root)}: {lines} lines, at most {LIMIT} are allowed")
            too_long += 1
    return int(too_long > 0)


if __name__ == "__main__":
    sys.exit(main())
