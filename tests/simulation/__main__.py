"""Runs many seeds: `python -m tests.simulation --seeds 500 --start 1`."""

import argparse
import logging
import os
import sys
import time


def main() -> int:
    """Runs the seeds; 1 when one of them broke a promise."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds")
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--verbose", action="store_true", help="show what the servers log")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.test")
    import django

    django.setup()
    logging.disable(logging.NOTSET if options.verbose else logging.CRITICAL)
    from tests.simulation.world import World

    broken = 0
    begun = time.monotonic()
    for seed in range(options.start, options.start + options.seeds):
        world = World(seed)
        try:
            world.run()
        except Exception as error:
            broken += 1
            print(f"seed {seed}: {type(error).__name__}: {error}")
    print(f"{options.seeds} seeds, {broken} broken, {time.monotonic() - begun:.1f} s")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
