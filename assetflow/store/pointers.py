"""Pointers as columns, a page of many rows at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np

from assetflow.keys import AssetKey
from assetflow.planner.state import AssetState, InputColumn, Integers, Lanes
from assetflow.store import statements as sql
from assetflow.store.columns import Columns, Growing, Runs, gathered
from assetflow.store.connection import Connection
from assetflow.store.encoding import EMPTY, HELD, TOLERATED, to_json, to_lanes
from assetflow.store.scopes import Scope

PAGE = 65_536
"""Rows of one page."""

Layouts = dict[int, tuple[str, ...]]

_NUMBERS = ("asset", "ordinal", "version", "derivation", "generation", "code", "flags", "layout")
_OCTETS = ("data_hash", "signatures")
_BEFORE_ALL = -(2**63)


class _Pages:
    """All pages, by column."""

    def __init__(self) -> None:
        self.asset, self.code, self.flags, self.layout = Runs(), Runs(), Runs(), Runs()
        self.ordinals, self.version, self.derivation, self.generation = (Growing(np.int64) for _ in range(4))
        self.hashes, self.sums = Growing(np.uint64, 2), Growing(np.uint64, 2)

    def add(self, page: Columns) -> None:
        """Append a page, whose columns are those of the query."""
        hashes, signatures = page.octets
        columns = (
            *(self.asset, self.ordinals, self.version, self.derivation),
            *(self.generation, self.code, self.flags, self.layout),
        )
        for column, values in zip(columns, page.numbers, strict=True):
            column.add(values)
        self.hashes.add(to_lanes(hashes))
        self.sums.add(to_lanes(signatures))


def read_pointers(
    connection: Connection, layouts: Layouts, environment: int, scope: Scope
) -> tuple[dict[AssetKey, AssetState], set[int]]:
    """The pointers in ``scope``, and the ids of the code versions that they mention; assets without any are absent.

    ``layouts`` remembers what was looked up.
    """
    pages = _Pages()
    for page in _pages(connection, environment, scope):
        pages.add(page)
    if not pages.asset.size:
        return {}, set()
    known = _layouts(connection, layouts, distinct(pages.layout.values))
    bounds = np.append(pages.asset.starts, pages.asset.size)
    limits: list[int] = bounds.tolist()
    flags, bits = pages.flags, pages.flags.values
    states: dict[AssetKey, AssetState] = {}
    for uid, first, last, code, empty, held, tolerated, inputs in zip(
        pages.asset.values.tolist(),
        limits[:-1],
        limits[1:],
        pages.code.parts(bounds),
        flags.parts(bounds, bits & EMPTY != 0),
        flags.parts(bounds, bits & HELD != 0),
        flags.parts(bounds, bits & TOLERATED != 0),
        _inputs(pages, bounds, known),
        strict=True,
    ):
        key, rows = scope.assets.get(uid), slice(first, last)
        if key is not None:
            states[key] = AssetState(
                pages.ordinals.values[rows],
                pages.version.values[rows],
                pages.derivation.values[rows],
                pages.generation.values[rows],
                pages.hashes.values[rows],
                code,
                empty,
                held,
                tolerated,
                inputs,
            )
    return states, distinct(pages.code.values)


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


def _inputs(pages: _Pages, bounds: Integers, layouts: Layouts) -> Iterator[dict[str, InputColumn]]:
    """The signatures of each asset by parameter."""
    layout, sums, widths = pages.layout, pages.sums.values, _widths(layouts)
    sizes = np.diff(np.append(layout.starts, layout.size))
    before = np.cumsum(sizes * widths[layout.values]) - sizes * widths[layout.values]
    first, last = layout.at(bounds), layout.at(bounds - 1)
    # A row's signatures follow those of all runs before its own, and of the rows before it in that.
    begins: list[int] = (before[first] + (bounds - layout.starts[first]) * widths[layout.values[first]]).tolist()
    several: list[bool] = (last[1:] > first[:-1]).tolist()
    numbers: list[int] = layout.values[first].tolist()
    parts = zip(begins[:-1], begins[1:], several, numbers[:-1], layout.parts(bounds), strict=True)
    for begin, end, mixed, number, part in parts:
        block = sums[begin:end]
        yield _mixed_inputs(block, part, layouts) if mixed else _uniform_inputs(block, len(part), layouts[number])


def _widths(layouts: Layouts) -> Integers:
    """How many signatures a row has, by layout."""
    widths = np.zeros(max(layouts) + 1, np.int64)
    for number, parameters in layouts.items():
        widths[number] = len(parameters)
    return widths


def _uniform_inputs(sums: Lanes, count: int, parameters: tuple[str, ...]) -> dict[str, InputColumn]:
    if not parameters:
        return {}
    block = sums.reshape(count, len(parameters), 2)
    present = np.ones(count, np.bool_)
    return {parameter: InputColumn(block[:, place], present) for place, parameter in enumerate(parameters)}


def _mixed_inputs(sums: Lanes, layout: Integers, layouts: Layouts) -> dict[str, InputColumn]:
    """For an asset whose pointers were not all made with the same edges."""
    stops = np.cumsum(_widths(layouts)[layout])
    columns: dict[str, InputColumn] = {}
    for number in sorted(distinct(layout)):
        rows = np.flatnonzero(layout == number)
        for place, parameter in enumerate(layouts[number]):
            column = columns.get(parameter)
            if column is None:
                column = InputColumn(np.zeros((len(layout), 2), np.uint64), np.zeros(len(layout), np.bool_))
                columns[parameter] = column
            column.sums[rows] = sums[stops[rows] - len(layouts[number]) + place]
            column.present[rows] = True
    return columns


def _layouts(connection: Connection, layouts: Layouts, used: set[int]) -> Layouts:
    unknown = [number for number in used if number not in layouts]
    if unknown:
        query = "SELECT id, parameters FROM edge_layouts WHERE id IN (SELECT value FROM json_each(?))"
        for number, parameters in connection.execute(query, (to_json(unknown),)):
            layouts[number] = tuple(json.loads(parameters))
    return {number: layouts[number] for number in used}
