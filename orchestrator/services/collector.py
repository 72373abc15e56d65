"""The garbage collector of a serving process.

Hardly anything a server makes is garbage that only the collector finds. But thousands of runs are kept in memory, and
Python looks at all of them again each time enough new objects have outlived a few collections, which the work of one
large batch is enough for: a pause of 0.1 to 0.15 s with 10,000 runs, at the worst moment. `benchmarks/RESULTS.md` has
what longer generations are worth.
"""

import gc

GENERATIONS = (10_000, 10, 10)
"""After so many more new objects than ended ones a collection, and after so many collections one of older objects."""


def settle_collector() -> None:
    """To be called once a process serves: what it has by then is not looked at again, and collections become rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GENERATIONS)
