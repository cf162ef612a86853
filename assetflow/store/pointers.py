"""Pointers as columns, a page of many rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from assetflow.keys import AssetKey
from assetflow.planner.state import AssetState, InputColumn, Integers, Lanes
from assetflow.store import statements as sql
from assetflow.store.columns import Columns, gathered
from assetflow.store.connection import Connection
from assetflow.store.encoding import EMPTY, HELD, TOLERATED, to_json, to_lanes
from assetflow.store.scopes import Scope

PAGE = 65_536
"""Rows of one page."""

Layouts = dict[int, tuple[str, ...]]

_NUMBERS = ("asset", "ordinal", "version", "derivation", "generation", "code", "flags", "layout")
_OCTETS = ("data_hash", "signatures")
_BEFORE_ALL = -(2**63)


@dataclass(slots=True)
class _Pages:
    """Pages one after the other, by column, and what is met in them."""

    numbers: list[list[Integers]] = field(default_factory=lambda: [[] for _ in _NUMBERS])
    hashes: list[Lanes] = field(default_factory=list[Lanes])
    sums: list[Lanes] = field(default_factory=list[Lanes])
    codes: set[int] = field(default_factory=set[int])
    layouts: set[int] = field(default_factory=set[int])

    def add(self, page: Columns) -> None:
        for pages, column in zip(self.numbers, page.numbers, strict=True):
            pages.append(column)
        self.codes |= distinct(page.numbers[5])
        self.layouts |= distinct(page.numbers[7])
        hashes, signatures = page.octets
        self.hashes.append(to_lanes(hashes))
        self.sums.append(to_lanes(signatures))

    def joined(self) -> tuple[list[Integers], Lanes, Lanes]:
        """The whole columns; the pages are let go one column after the other, for memory's sake."""
        numbers: list[Integers] = []
        for pages in self.numbers:
            numbers.append(np.concatenate(pages))
            pages.clear()
        hashes = np.concatenate(self.hashes)
        self.hashes.clear()
        sums = np.concatenate(self.sums)
        self.sums.clear()
        return numbers, hashes, sums


def read_pointers(
    connection: Connection, layouts: Layouts, environment: int, scope: Scope
) -> tuple[dict[AssetKey, AssetState], set[int]]:
    """The pointers in ``scope``, and the ids of the code versions that they mention; assets without any are absent.

    ``layouts`` remembers what was looked up.
    """
    pages = _Pages()
    for page in _pages(connection, environment, scope):
        pages.add(page)
    if not pages.hashes:
        return {}, set()
    known = _layouts(connection, layouts, pages.layouts)
    used = pages.codes
    numbers, hashes, sums = pages.joined()
    asset, ordinals, version, derivation, generation, code, flags, layout = numbers
    empty, held, tolerated = flags & EMPTY != 0, flags & HELD != 0, flags & TOLERATED != 0
    bounds = [0, *(np.flatnonzero(np.diff(asset)) + 1).tolist(), len(asset)]
    changes = np.flatnonzero(np.diff(layout)) + 1
    mixed = np.searchsorted(changes, bounds[1:], "left") > np.searchsorted(changes, bounds[:-1], "right")
    starts = _starts(layout, known)
    states: dict[AssetKey, AssetState] = {}
    uids: list[int] = asset[bounds[:-1]].tolist()
    for uid, first, last, several in zip(uids, bounds[:-1], bounds[1:], mixed.tolist(), strict=True):
        key = scope.assets.get(uid)
        if key is None:
            continue
        part = slice(first, last)
        block = sums[starts[first] : starts[last]]
        if several:
            inputs = _mixed_inputs(block, layout[part], known)
        else:
            inputs = _uniform_inputs(block, last - first, known[int(layout[first])])
        states[key] = AssetState(
            ordinals[part],
            version[part],
            derivation[part],
            generation[part],
            hashes[part],
            code[part],
            empty[part],
            held[part],
            tolerated[part],
            inputs,
        )
    return states, used


def distinct(column: Integers) -> set[int]:
    """The numbers in a column; quick where there is only one."""
    if not len(column):
        return set()
    first = int(column[0])
    return {first} if bool((column == first).all()) else set(np.unique(column).tolist())


def _pages(connection: Connection, environment: int, scope: Scope) -> Iterable[Columns]:
    if not scope.assets:
        return
    if scope.single:
        for values in scope.pages(PAGE):
            query = scope.statement(sql.POINTERS, "pointers", "p")
            page = gathered(connection, query, {**values, "environment": environment}, numbers=_NUMBERS, octets=_OCTETS)
            if page.count:
                yield page
        return
    asset, ordinal, last = min(scope.assets), _BEFORE_ALL, max(scope.assets)
    while True:
        values = {"environment": environment, "asset": asset, "ordinal": ordinal, "last": last, "limit": PAGE}
        page = gathered(connection, sql.POINTER_PAGE, values, numbers=_NUMBERS, octets=_OCTETS)
        if page.count:
            yield page
        if page.count < PAGE:
            return
        asset, ordinal = int(page.numbers[0][-1]), int(page.numbers[1][-1])


def _starts(layout: Integers, layouts: Mapping[int, tuple[str, ...]]) -> Integers:
    """Where each row's signatures begin, and where the last one's end."""
    widths = np.zeros(max(layouts) + 1, np.int64)
    for number, parameters in layouts.items():
        widths[number] = len(parameters)
    starts = np.zeros(len(layout) + 1, np.int64)
    np.cumsum(widths[layout], out=starts[1:])
    return starts


def _uniform_inputs(sums: NDArray[np.uint64], count: int, parameters: tuple[str, ...]) -> dict[str, InputColumn]:
    if not parameters:
        return {}
    block = sums.reshape(count, len(parameters), 2)
    present = np.ones(count, np.bool_)
    return {parameter: InputColumn(block[:, place], present) for place, parameter in enumerate(parameters)}


def _mixed_inputs(
    sums: NDArray[np.uint64], layout: Integers, layouts: Mapping[int, tuple[str, ...]]
) -> dict[str, InputColumn]:
    """For an asset whose pointers were not all made with the same edges."""
    starts = _starts(layout, layouts)[:-1]
    columns: dict[str, InputColumn] = {}
    for number in sorted(distinct(layout)):
        rows = np.flatnonzero(layout == number)
        for place, parameter in enumerate(layouts[number]):
            column = columns.get(parameter)
            if column is None:
                column = InputColumn(np.zeros((len(layout), 2), np.uint64), np.zeros(len(layout), np.bool_))
                columns[parameter] = column
            column.sums[rows] = sums[starts[rows] + place]
            column.present[rows] = True
    return columns


def _layouts(connection: Connection, layouts: Layouts, used: set[int]) -> Layouts:
    unknown = [number for number in used if number not in layouts]
    if unknown:
        query = "SELECT id, parameters FROM edge_layouts WHERE id IN (SELECT value FROM json_each(?))"
        for number, parameters in connection.execute(query, (to_json(unknown),)):
            layouts[number] = tuple(json.loads(parameters))
    return {number: layouts[number] for number in used}
