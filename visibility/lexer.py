"""Cuts a visibility query into tokens."""

import dataclasses
import enum
import re
from collections.abc import Iterator

from orchestrator.errors import InvalidArgument


class Kind(enum.Enum):
    """What a token is."""

    NAME = "name"
    KEYWORD = "keyword"
    STRING = "string"
    NUMBER = "number"
    SYMBOL = "symbol"
    END = "end"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token of a query.

    Attributes:
        kind: what it is.
        text: a keyword in lower case, a string without quotes and escapes, the others as written.
        position: characters before it in the query.
    """

    kind: Kind
    text: str
    position: int


# fmt: off
KEYWORDS = frozenset({
    "and", "asc", "between", "by", "case", "cast", "desc", "distinct", "exists", "false", "from", "group", "having",
    "ilike", "in", "is", "like", "limit", "not", "null", "offset", "or", "order", "regexp", "rlike", "select",
    "starts_with", "true", "union", "where", "xor",
})
# fmt: on
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "Z": "\x1a", "0": "\0"}

_blank = re.compile(r"(?:\s+|--[^\n]*|#[^\n]*|/\*.*?\*/)+", re.DOTALL)
_token = re.compile(
    r"""(?P<name>[^\W\d]\w*)
      | `(?P<quoted>[^`]+)`
      | (?P<number>[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?(?![\w.]))
      | (?P<string>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")
      | (?P<symbol><=>|<=|>=|<>|!=|&&|\|\||[=<>(),;!+*/%.-])""",
    re.VERBOSE | re.DOTALL,
)


def syntax_error(position: int, near: str = "") -> InvalidArgument:
    """The refusal of a query that cannot be read at `position`."""
    tail = f" near '{near[:40]}'" if near else ""
    return InvalidArgument(f"invalid query: malformed SQL query: syntax error at position {position + 1}{tail}")


def tokens(query: str) -> Iterator[Token]:
    """The tokens of a query, comments left out, with an END token behind them; raises InvalidArgument."""
    position = 0
    while True:
        blank = _blank.match(query, position)
        if blank is not None:
            position = blank.end()
        if position == len(query):
            yield Token(Kind.END, "", position)
            return
        found = _token.match(query, position)
        if found is None:
            raise syntax_error(position, query[position:])
        yield _made(found, position)
        position = found.end()


def _made(found: re.Match[str], position: int) -> Token:
    text = found.group()
    match found.lastgroup:
        case "name" if text.lower() in KEYWORDS:
            return Token(Kind.KEYWORD, text.lower(), position)
        case "quoted":
            return Token(Kind.NAME, found["quoted"], position)
        case "string":
            return Token(Kind.STRING, _unquoted(text, position), position)
        case group:
            return Token(Kind[str(group).upper()], text, position)


def _unquoted(text: str, position: int) -> str:
    quote = text[0]

    def meant(found: re.Match[str]) -> str:
        return quote if found.group() == quote * 2 else ESCAPES.get(found.group()[1], found.group()[1])

    value = re.sub(rf"\\.|{quote}{quote}", meant, text[1:-1], flags=re.DOTALL)
    if "\0" in value:
        raise syntax_error(position, "NUL")
    return value
