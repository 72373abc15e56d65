"""How a Text and a KeywordList are stored in one string that every database can search for a whole word or item."""

import re
from collections.abc import Iterable

SEPARATOR = "\x1f"
ESCAPE = "\x1e"

_word = re.compile(r"\w+")


def joined(items: Iterable[str]) -> str:
    """The items, each with a separator on both sides; `needle(item)` occurs in it if and only if the item does."""
    return SEPARATOR + "".join(f"{_escaped(item)}{SEPARATOR}" for item in items)


def needle(item: str) -> str:
    """What to look for in a joined string."""
    return f"{SEPARATOR}{_escaped(item)}{SEPARATOR}"


def words(text: str) -> list[str]:
    """The words of a Text, in the form in which they are compared; the same text always gives the same words."""
    return _word.findall(text.casefold())


def _escaped(item: str) -> str:
    return item.replace(ESCAPE, f"{ESCAPE}0").replace(SEPARATOR, f"{ESCAPE}1")
