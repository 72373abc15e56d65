"""The lengths of time a query may contain."""

import re
from fractions import Fraction

UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}

_number = r"[0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18}"
_units = "|".join(sorted(UNITS, key=len, reverse=True))
_part = re.compile(rf"({_number})({_units})")
_whole = re.compile(rf"([-+]?)((?:(?:{_number})(?:{_units}))+)")
_clock = re.compile(r"([0-9]{1,6}):([0-5][0-9]):([0-5][0-9])")


def nanoseconds(text: str) -> int:
    """Nanoseconds of a duration as Go writes it (`1h30m`, `1.5s`, also `2d`) or as `HH:MM:SS`; raises ValueError."""
    if clock := _clock.fullmatch(text):
        hours, minutes, seconds = map(int, clock.groups())
        return (hours * 3600 + minutes * 60 + seconds) * 10**9
    whole = _whole.fullmatch(text)
    if whole is None:
        raise ValueError(text)
    length = sum(Fraction(number) * UNITS[unit] for number, unit in _part.findall(whole[2]))
    return -int(length) if whole[1] == "-" else int(length)
