"""The selection language: one parser for Python, command line and server.

``name``, ``raw/*``, ``+a``, ``a+``, ``2+a+1``, ``group:g``, ``tag:k=v``, ``owner:o``, ``kind:k``, ``status:stale``,
joined by ``and``, ``or``, ``not`` and parentheses; ``*`` is everything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assetflow.errors import InvalidSelection
from assetflow.keys import is_asset_key

Attribute = Literal["group", "tag", "owner", "kind", "status"]

_TOKEN = re.compile(r"\s*(?:(?P<mark>[()])|(?P<word>(?:\"[^\"]*\"|[^\s()\"])+)|(?P<quote>\"))")
_ATOM = re.compile(r"(?:(?P<up>\d*)(?P<above>\+))?(?P<core>.*?)(?:(?P<below>\+)(?P<down>\d*))?", re.DOTALL)
_GLOB = re.compile(r"[\w*?/]+", re.ASCII)
_STATES = ("stale", "missing", "waiting", "failed", "up_to_date", "late")
_OPERATORS = ("and", "or", "not")
_FORMS = "a selection is made of NAME, a/*, +a, a+, group:G, tag:K=V, owner:O, kind:K, status:S, and, or, not, ( ), *"


@dataclass(frozen=True, slots=True)
class Atom:
    """What one word names, and how far it reaches up- and downstream: 0 not at all, None all the way."""

    kind: Literal["name", "glob", "all"] | Attribute
    value: str
    up: int | None = 0
    down: int | None = 0
    column: int = 0
    """Where the word begins in the text, from 0."""


@dataclass(frozen=True, slots=True)
class Not:
    """Every asset but these."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Both:
    """The assets that all operands select (``and``)."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """The assets that any operand selects (``or``)."""

    operands: tuple[Expression, ...]


Expression = Atom | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed selection; ``text`` is what was written."""

    text: str
    expression: Expression

    def atoms(self) -> list[Atom]:
        """All words that name assets, from left to right."""
        found: list[Atom] = []
        pending: list[Expression] = [self.expression]
        while pending:
            match pending.pop():
                case Atom() as atom:
                    found.append(atom)
                case Not(operand):
                    pending.append(operand)
                case Both(operands) | Either(operands):
                    pending.extend(reversed(operands))
        return found

    @property
    def needs_states(self) -> bool:
        """Whether it asks for partition states (``status:``)."""
        return any(atom.kind == "status" for atom in self.atoms())


def parse_selection(text: str) -> Selection:
    """Read a selection. Raises InvalidSelection, which points at the place.

    >>> parse_selection("+weather_daily").expression
    Atom(kind='name', value='weather_daily', up=None, down=0, column=0)
    >>> [atom.value for atom in parse_selection("group:raw and not 2+orders").atoms()]
    ['raw', 'orders']
    """
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may pass anything
        raise InvalidSelection(f"{text!r} is no selection", hint='write it as a text: "orders or customers"')
    reader = _Reader(text, _tokens(text))
    if not reader.tokens:
        raise InvalidSelection("the selection is empty", hint="write * for all assets")
    expression = reader.either()
    if reader.current is not None:
        word, column = reader.current
        hint = "join two selections with and or or" if word != ")" else "remove it, or open it with ("
        raise _wrong(text, column, f"{word!r} is not expected here", hint)
    return Selection(text, expression)


def _tokens(text: str) -> list[tuple[str, int]]:
    tokens: list[tuple[str, int]] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match["quote"]:
            column = match.start("quote") if match else position
            raise _wrong(text, column, "the quotation mark is never closed", 'close it with "')
        word = match["mark"] or match["word"]
        tokens.append((word, match.end() - len(word)))
        position = match.end()
    return tokens


class _Reader:
    """Recursive descent; nesting is limited, so that recursion is too."""

    def __init__(self, text: str, tokens: Sequence[tuple[str, int]]) -> None:
        self.text = text
        self.tokens = tokens
        self.position = 0
        self.depth = 0

    @property
    def current(self) -> tuple[str, int] | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def either(self) -> Expression:
        operands = [self.both()]
        while self._take("or"):
            operands.append(self.both())
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def both(self) -> Expression:
        operands = [self.inverted()]
        while self._take("and"):
            operands.append(self.inverted())
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def inverted(self) -> Expression:
        inverted = False
        while self._take("not"):
            inverted = not inverted
        operand = self.single()
        return Not(operand) if inverted else operand

    def single(self) -> Expression:
        if self.current is None:
            raise _wrong(self.text, len(self.text.rstrip()), "a selection is missing at the end", _FORMS)
        word, column = self.current
        if word in _OPERATORS or word == ")":
            raise _wrong(self.text, column, f"a selection is missing before {word!r}", _FORMS)
        self.position += 1
        return self._parenthesis(column) if word == "(" else _atom(self.text, word, column)

    def _parenthesis(self, column: int) -> Expression:
        self.depth += 1
        if self.depth > 100:
            raise _wrong(self.text, column, "parentheses are nested more than 100 deep", "write it flatter")
        expression = self.either()
        if not self._take(")"):
            raise _wrong(self.text, column, "the parenthesis is never closed", "close it with )")
        self.depth -= 1
        return expression

    def _take(self, word: str) -> bool:
        taken = self.current is not None and self.current[0] == word
        self.position += taken
        return taken


def _atom(text: str, word: str, column: int) -> Atom:
    match = _ATOM.fullmatch(word)
    core = match["core"] if match else word
    if match is None or not core:
        raise _wrong(
            text, column, f"{word!r} names no asset", "write +NAME for what NAME needs, NAME+ for what needs NAME"
        )
    up = _reach(match["above"], match["up"])
    down = _reach(match["below"], match["down"])
    if core == "*":
        return Atom("all", core, up, down, column)
    if ":" in core:
        return _attribute(text, core, up, down, column)
    if is_asset_key(core):
        return Atom("name", core, up, down, column)
    if ("*" in core or "?" in core) and _GLOB.fullmatch(core):
        return Atom("glob", core, up, down, column)
    raise _wrong(text, column, f"{core!r} is neither an asset key nor a pattern", _FORMS)


def _attribute(text: str, core: str, up: int | None, down: int | None, column: int) -> Atom:
    name, _, value = core.partition(":")
    value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    match name:
        case "group" | "tag" | "owner" | "kind" | "status" if value:
            kind: Attribute = name
        case "group" | "tag" | "owner" | "kind" | "status":
            raise _wrong(text, column, f"{core!r} has no value", f"write {name}:VALUE")
        case _:
            raise _wrong(
                text, column, f"{name!r} is nothing to select by", "use group:, tag:, owner:, kind: or status:"
            )
    if kind == "tag" and "=" not in value:
        raise _wrong(text, column, f"{core!r} has no value", "write tag:KEY=VALUE")
    if kind == "status" and value not in _STATES:
        raise _wrong(text, column, f"{value!r} is no status", f"use one of {', '.join(_STATES)}")
    return Atom(kind, value, up, down, column)


def _reach(mark: str | None, digits: str | None) -> int | None:
    if not mark:
        return 0
    return int(digits) if digits else None


def _wrong(text: str, column: int, problem: str, hint: str) -> InvalidSelection:
    shown = text.replace("\n", " ").replace("\t", " ")
    return InvalidSelection(f"{problem}\n  {shown}\n  {' ' * column}^", hint=hint)
