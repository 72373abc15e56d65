"""Reads a visibility query: the fragment of SQL behind WHERE that clients filter lists and counts with.

    query     = [ condition ] [ GROUP BY name ] [ ";" ]
    condition = conjunct { OR conjunct }
    conjunct  = factor { AND factor }
    factor    = NOT factor | "(" condition ")" | predicate
    predicate = name ( "=" | "!=" | "<>" | "<" | "<=" | ">" | ">=" ) literal
              | name [ NOT ] IN "(" literal { "," literal } ")"
              | name [ NOT ] BETWEEN literal AND literal
              | name [ NOT ] STARTS_WITH literal
              | name IS [ NOT ] NULL

Which attributes and values make sense is the business of `visibility.conditions`.
"""

import dataclasses

from orchestrator.errors import InvalidArgument
from visibility.lexer import Kind, Token, syntax_error, tokens

MAXIMUM_LENGTH = 64 * 1024
MAXIMUM_DEPTH = 100
"""Parentheses within parentheses."""
MAXIMUM_NESTING = 32
"""Alternatives within conjunctions within alternatives; the parser of SQLite gives up at about twice that."""
MAXIMUM_TESTS = 500
MAXIMUM_LITERALS = 2000

Literal = str | int | float | bool

NEGATED = {
    "=": "!=",
    "<": ">=",
    "<=": ">",
    "in": "not in",
    "between": "not between",
    "starts_with": "not starts_with",
    "is null": "is not null",
}
NEGATED |= {negated: operator for operator, negated in NEGATED.items()}
"""The operator that is true where the other is false; where the attribute is missing, neither is, but for IS NULL."""

UNSUPPORTED_OPERATORS = frozenset({"like", "ilike", "regexp", "rlike"})


@dataclasses.dataclass(frozen=True, slots=True)
class Predicate:
    """One attribute against literals.

    Attributes:
        name: of the attribute, as written.
        operator: a key of NEGATED.
        literals: none for the null tests, two for the range tests, any number for the membership tests, else one.
    """

    name: str
    operator: str
    literals: tuple[Literal, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Group:
    """Conditions that must all be true (`every`), or of which one must be."""

    every: bool
    parts: "tuple[Condition, ...]"


Condition = Predicate | Group


@dataclasses.dataclass(frozen=True, slots=True)
class Query:
    """A query that was read. Negations are gone: they are moved into the tests.

    Attributes:
        where: None if every run matches.
        group_by: the attribute counts are grouped by.
    """

    where: Condition | None
    group_by: str | None


def parse(text: str) -> Query:
    """Reads a query; raises InvalidArgument for one that is malformed, too large, or asks for what is not supported."""
    if len(text) > MAXIMUM_LENGTH:
        raise InvalidArgument(f"invalid query: longer than {MAXIMUM_LENGTH} characters")
    query = _Parser(text).query()
    if _nesting(query.where) > MAXIMUM_NESTING:
        raise InvalidArgument(f"invalid query: AND and OR nested deeper than {MAXIMUM_NESTING}")
    return query


def _nesting(condition: Condition | None) -> int:
    return 1 + max(map(_nesting, condition.parts)) if isinstance(condition, Group) else 0


def _unsupported(what: str) -> InvalidArgument:
    return InvalidArgument(f"invalid query: operation is not supported: {what}")


def _invalid(what: str) -> InvalidArgument:
    return InvalidArgument(f"invalid query: invalid expression: {what}")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self._now = next(self._tokens)
        self._tests = 0
        self._literals = 0

    def query(self) -> Query:
        where = None
        if self._now.kind is not Kind.END and not self._is("group", "order", "limit", ";"):
            where = self._condition(negated=False, depth=0)
        group_by = self._group_by() if self._accept("group") else None
        if self._is("order", "limit"):
            clause = "'ORDER BY' clause" if self._is("order") else "'LIMIT' clause"
            raise _unsupported(clause)
        self._accept(";")
        if self._now.kind is not Kind.END:
            raise self._unexpected()
        return Query(where, group_by)

    def _group_by(self) -> str:
        self._expect("by")
        name = self._name()
        if self._is(","):
            raise _unsupported("'GROUP BY' clause supports only a single field")
        return name

    def _condition(self, negated: bool, depth: int) -> Condition:
        parts = [self._conjunct(negated, depth)]
        while self._accept("or") or self._accept("||"):
            parts.append(self._conjunct(negated, depth))
        return _group(every=negated, parts=parts)

    def _conjunct(self, negated: bool, depth: int) -> Condition:
        parts = [self._factor(negated, depth)]
        while self._accept("and") or self._accept("&&"):
            parts.append(self._factor(negated, depth))
        return _group(every=not negated, parts=parts)

    def _factor(self, negated: bool, depth: int) -> Condition:
        while self._accept("not"):
            negated = not negated
        if self._accept("("):
            if depth == MAXIMUM_DEPTH:
                raise InvalidArgument(f"invalid query: nested deeper than {MAXIMUM_DEPTH}")
            inner = self._condition(negated, depth + 1)
            self._expect(")")
            return inner
        self._tests += 1
        if self._tests > MAXIMUM_TESTS:
            raise InvalidArgument(f"invalid query: more than {MAXIMUM_TESTS} comparisons")
        found = self._predicate()
        return Predicate(found.name, NEGATED[found.operator], found.literals) if negated else found

    def _predicate(self) -> Predicate:
        if self._now.kind in (Kind.STRING, Kind.NUMBER):
            raise _invalid("the left side of a comparison must be a column name")
        name = self._name()
        if self._accept("is"):
            return self._null(name)
        prefix = "not " if self._accept("not") else ""
        if self._accept("in"):
            return Predicate(name, f"{prefix}in", self._tuple())
        if self._accept("between"):
            low = self._literal()
            self._expect("and")
            return Predicate(name, f"{prefix}between", (low, self._literal()))
        if self._accept("starts_with"):
            return self._starts_with(name, f"{prefix}starts_with")
        if self._is(*UNSUPPORTED_OPERATORS, "<=>"):
            raise _invalid(f"invalid operator '{prefix}{self._now.text}'")
        operator = "!=" if self._now.text == "<>" else self._now.text
        if not prefix and self._now.kind is Kind.SYMBOL and operator in NEGATED:
            self._advance()
            return Predicate(name, operator, (self._literal(),))
        if self._now.kind is Kind.END or self._is("and", "or", ")"):
            raise _invalid("incomplete expression")
        raise self._unexpected()

    def _null(self, name: str) -> Predicate:
        operator = "is not null" if self._accept("not") else "is null"
        if self._is("true", "false"):
            raise _invalid("'IS' operator can only be used with 'NULL' or 'NOT NULL'")
        self._expect("null")
        return Predicate(name, operator)

    def _starts_with(self, name: str, operator: str) -> Predicate:
        if self._now.kind is Kind.NUMBER:
            raise _invalid(f"right-hand side of 'starts_with' must be a literal string (got: {self._now.text[:40]})")
        return Predicate(name, operator, (self._literal(),))

    def _tuple(self) -> tuple[Literal, ...]:
        self._expect("(")
        literals = [self._literal()]
        while self._accept(","):
            literals.append(self._literal())
        self._expect(")")
        return tuple(literals)

    def _literal(self) -> Literal:
        self._literals += 1
        if self._literals > MAXIMUM_LITERALS:
            raise InvalidArgument(f"invalid query: more than {MAXIMUM_LITERALS} values")
        token = self._now
        if token.kind is Kind.NAME:
            raise _unsupported(
                f"column name on the right side of comparison expression (did you forget to quote '{token.text[:40]}'?)"
            )
        if self._is("null"):
            raise _invalid("null can only be tested with 'IS NULL' or 'IS NOT NULL'")
        value: Literal
        if token.kind is Kind.STRING:
            value = token.text
        elif token.kind is Kind.NUMBER:
            value = _number(token)
        elif self._is("true", "false"):
            value = token.text == "true"
        else:
            raise self._unexpected()
        self._advance()
        return value

    def _name(self) -> str:
        token = self._now
        if token.kind is not Kind.NAME:
            raise self._unexpected()
        self._advance()
        if self._is("("):
            raise _invalid(f"functions are not supported: {token.text[:40]}")
        return token.text

    def _is(self, *texts: str) -> bool:
        return self._now.kind in (Kind.KEYWORD, Kind.SYMBOL) and self._now.text in texts

    def _accept(self, text: str) -> bool:
        found = self._is(text)
        if found:
            self._advance()
        return found

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected()

    def _advance(self) -> None:
        self._now = next(self._tokens)

    def _unexpected(self) -> InvalidArgument:
        return syntax_error(self._now.position, self._now.text)


def _group(every: bool, parts: list[Condition]) -> Condition:
    """One condition of several; groups of the same kind are merged, so that the tree is no deeper than it must be."""
    if len(parts) == 1:
        return parts[0]
    merged: list[Condition] = []
    for part in parts:
        merged.extend(part.parts if isinstance(part, Group) and part.every == every else [part])
    return Group(every, tuple(merged))


def _number(token: Token) -> int | float:
    if len(token.text) > 400:
        raise syntax_error(token.position, token.text)
    return int(token.text) if token.text.lstrip("+-").isdigit() else float(token.text)
