"""`python -m tests.chaos --minutes 3 --seed 1`: chaos, then what is left of a cluster is checked."""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

import django


def main() -> int:
    """0 when nothing was lost, nothing doubled and nothing left over; 1 when something was, with what."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long things go wrong")
    parser.add_argument("--seed", type=int, help="what goes wrong, when and where; by default the clock decides")
    parser.add_argument("--faults", default="", help="only faults whose name matches this regular expression")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    django.setup()
    from tests.chaos.run import Chaos
    from tests.support import binaries

    binaries.ensure()
    seed = options.seed if options.seed is not None else int(time.time())
    directory = Path(tempfile.mkdtemp(prefix="hugo-chaos-", dir="/tmp"))
    directory.chmod(0o755)
    print(f"chaos: seed {seed}, {options.minutes:g} minutes, files in {directory}", flush=True)
    found = asyncio.run(Chaos(directory, random.Random(seed), options.minutes * 60, options.faults).run())
    for each in found[:50]:
        print(f"VIOLATION {each}")
    print(f"chaos: {len(found)} violations, seed {seed}", flush=True)
    if not found:
        shutil.rmtree(directory, ignore_errors=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
