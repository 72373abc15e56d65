"""Chaos: a cluster of real processes under load, whose parts are killed, frozen and cut off, and a checker of the rest.

`python -m tests.chaos --minutes 3 --seed 1`, or `make chaos`.
"""
