"""The garbage collector of a process that serves: what is there by then stays, and is not looked at again."""

import subprocess
import sys

SERVES = """
import gc
from orchestrator.services.collector import settle_collector
before = gc.get_threshold()[0]
kept = [[]]
settle_collector()
assert not any(each is kept for each in gc.get_objects()), "what was there is not looked at"
assert gc.get_threshold()[0] > before
class Knot: pass
knot = Knot()
knot.itself = knot
del knot
assert gc.collect() > 0, "later garbage is still found"
"""


def test_what_a_process_began_with_is_left_alone() -> None:
    subprocess.run([sys.executable, "-c", SERVES], check=True, timeout=60)
