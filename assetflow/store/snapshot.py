"""A saved answer beside the store, so that a large state is not read row by row again: columns in one file.

Nothing in the file is believed before it was proved: its checksums must fit, and the store must still hold the very
rows that came last when it was written. Whatever is wrong with it, the state is read from the tables instead.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.state import (
    AssetState,
    CheckResults,
    CodeRecord,
    Codes,
    Failures,
    InputColumn,
    Mark,
    Retained,
    State,
)
from assetflow.store.encoding import to_json
from assetflow.store.state import Question

MAGIC = b"assetflow snapshot 1\n\x00\x00\x00"
"""Changes whenever the layout below does."""

ABANDONED = 60.0
"""Seconds after which an unfinished file is taken for one that a killed process left."""

_HEAD = len(MAGIC) + 16 + 32
_TEXT = np.dtype(np.uint8)
_VARIED = {"code": "<i8", "empty": "|b1", "held": "|b1", "tolerated": "|b1"}
"""Columns that often hold one value only, with their kinds."""
Column = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Saved:
    """A state with what it was the answer to; its codes are known by their ids only, and it has no keys.

    Both may change without a derivation, and are quickly read from the tables.
    """

    question: Question
    state: State


class Damaged(Exception):
    """The file is not what was written."""


def save(path: Path, schema: int, witness: str, question: Question, state: State) -> bool:
    """Write the answer to a question; ``witness`` is what the store must still say when it is read.

    Says whether it was written: not where the disk refuses, or while another process writes the same file.
    """
    unfinished = path.with_name(path.name + ".new")
    try:
        if time.time() - unfinished.stat().st_mtime > ABANDONED:
            unfinished.unlink()
    except OSError:
        pass
    try:
        with unfinished.open("xb") as file:
            try:
                _write(file, {"schema": schema, "witness": witness}, question, state)
            except BaseException:
                unfinished.unlink()
                raise
        unfinished.replace(path)
    except OSError:
        return False
    return True


def load(path: Path, schema: int, witness_of: Callable[[Mark], str], environment: int) -> Saved | None:
    """The saved answer, if the file is whole and ``witness_of`` its mark gives what was the case when it was saved."""
    try:
        with path.open("rb") as file:
            index = _index(file)
            mark = Mark(*index["mark"])
            if index["schema"] != schema or index["environment"] != environment:
                return None
            if index["witness"] != witness_of(mark):
                return None
            return _read(_Sections(file, index["sections"]), index, mark)
    except (OSError, Damaged, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError):
        return None


def _write(file: BufferedWriter, facts: dict[str, Any], question: Question, state: State) -> None:
    file.write(b"\x00" * _HEAD)
    sections: list[list[object]] = []
    assets = [key for key in question.assets if key in state.uids]
    states = [state.assets[key] for key in assets]
    places = {key: place for place, key in enumerate(assets)}
    inputs = [(place, name, column) for place, each in enumerate(states) for name, column in each.inputs.items()]

    def put(columns: Iterable[Column], kind: str) -> None:
        digest, count = blake3(), 0
        for column in columns:
            octets = np.ascontiguousarray(column, kind).reshape(-1).view(_TEXT)
            file.write(octets.data)
            digest.update(octets.data)
            count += octets.nbytes
        sections.append([count, digest.hexdigest(32)])

    for name in ("ordinals", "version", "derivation", "generation"):
        put((getattr(each, name) for each in states), "<i8")
    put((each.hashes for each in states), "<u8")
    constants = {name: [_constant(getattr(each, name)) for each in states] for name in _VARIED}
    for name, kind in _VARIED.items():
        varied = (each for each, constant in zip(states, constants[name], strict=True) if constant is None)
        put((getattr(each, name) for each in varied), kind)
    put((column.sums for _, _, column in inputs), "<u8")
    present = [_constant(column.present) for _, _, column in inputs]
    put((column.present for (_, _, column), one in zip(inputs, present, strict=True) if one is None), "|b1")
    offered = [[(places[key], each) for key, each in kept.items()] for kept in (state.retained, state.candidates)]
    for kept in offered:
        for name, kind in (("ordinals", "<i8"), ("keys", "<u8"), ("version", "<i8"), ("derivation", "<i8")):
            put((getattr(each, name) for _, each in kept), kind)
    checks = list(question.codes.checks.items())
    nothing = CheckResults(*(np.empty(0, np.int64) for _ in range(3)))
    results = [state.checks.get(place, nothing) for place, _ in checks]
    put((column for each in results for column in (each.passed, each.failed, each.earlier)), "<i8")
    put(state.verified.values(), "<i8")
    failures = [(places[key], each) for key, each in state.failures.items()]
    put((column for _, each in failures for column in (each.ordinals, each.keys.view(np.int64))), "<i8")
    index = {
        **facts,
        "environment": question.environment,
        "generation": state.generation,
        "mark": [state.mark.derivation, state.mark.change],
        "assets": [
            [key, state.uids[key], key in question.sources, key in question.verified, len(each.ordinals)]
            for key, each in zip(assets, states, strict=True)
        ],
        "constants": constants,
        "inputs": [[place, name, one] for (place, name, _), one in zip(inputs, present, strict=True)],
        "codes": list(state.codes),
        "versions": [record.version for record in question.codes.computations.values()],
        "offered": [[[place, len(each.ordinals)] for place, each in kept] for kept in offered],
        "checks": [
            [*place, version, len(each.passed), len(each.failed), len(each.earlier)]
            for (place, version), each in zip(checks, results, strict=True)
        ],
        "verified": [places[key] for key in state.verified],
        "failures": [[place, list(each.runs), list(each.errors)] for place, each in failures],
        "sections": sections,
    }
    octets = to_json(index).encode()
    at = file.tell()
    file.write(octets)
    file.seek(0)
    file.write(MAGIC + at.to_bytes(8, "little") + len(octets).to_bytes(8, "little") + _digest(octets))


def _digest(octets: bytes) -> bytes:
    return blake3(octets).digest(32)


def _constant(column: Column) -> int | None:
    """The value of a column that has only one, for which no memory is needed; None for any other."""
    if not len(column):
        return 0
    return int(column[0]) if bool((column == column[0]).all()) else None


def _index(file: BufferedReader) -> dict[str, Any]:
    head = file.read(_HEAD)
    if len(head) != _HEAD or not head.startswith(MAGIC):
        raise Damaged
    at, size = (int.from_bytes(head[len(MAGIC) + first : len(MAGIC) + first + 8], "little") for first in (0, 8))
    if at + size != os.fstat(file.fileno()).st_size:
        raise Damaged
    file.seek(at)
    octets = file.read(size)
    if _digest(octets) != head[-32:]:
        raise Damaged
    file.seek(_HEAD)
    return json.loads(octets)


class _Sections:
    """The columns of the file, one after the other, each compared with its checksum."""

    def __init__(self, file: BufferedReader, sections: list[tuple[int, str]]) -> None:
        self._file = file
        self._sections = iter(sections)

    def take(self, kind: str) -> Column:
        """The next column, which belongs to the caller."""
        size, checksum = next(self._sections)
        column = np.empty(size, _TEXT)
        if self._file.readinto(column.data) != size or blake3(column.data).hexdigest(32) != checksum:
            raise Damaged
        return column.view(kind)


def _read(sections: _Sections, index: dict[str, Any], mark: Mark) -> Saved:
    assets = [AssetKey(key) for key, *_ in index["assets"]]
    counts: list[int] = [row[4] for row in index["assets"]]
    numbers = [_parts(sections.take("<i8"), counts) for _ in range(4)]
    hashes = _parts(sections.take("<u8").reshape(-1, 2), counts)
    constants = index["constants"]
    code, empty, held, tolerated = (
        _filled(sections.take(kind), counts, constants[name], np.dtype(kind)) for name, kind in _VARIED.items()
    )
    lengths: list[int] = [counts[place] for place, _, _ in index["inputs"]]
    sums = _parts(sections.take("<u8").reshape(-1, 2), lengths)
    present = _filled(sections.take("|b1"), lengths, [row[2] for row in index["inputs"]], np.dtype("|b1"))
    inputs: list[dict[str, InputColumn]] = [{} for _ in assets]
    for (place, name, _), lanes, flags in zip(index["inputs"], sums, present, strict=True):
        inputs[place][name] = InputColumn(lanes, flags)
    states = zip(*numbers, hashes, code, empty, held, tolerated, inputs, strict=True)
    retained, candidates = (_offered(sections, assets, rows) for rows in index["offered"])
    sizes: list[int] = [count for row in index["checks"] for count in row[3:]]
    found = _parts(sections.take("<i8"), sizes)
    checks = {
        (AssetKey(asset), str(name)): CheckResults(next(found), next(found), next(found))
        for asset, name, *_ in index["checks"]
    }
    timed: list[int] = index["verified"]
    times = _parts(sections.take("<i8"), [counts[place] for place in timed])
    verified = {assets[place]: each for place, each in zip(timed, times, strict=True)}
    failures = _failures(sections, assets, index["failures"])
    versions = [CodeVersion(version) for version in index["versions"]]
    question = Question(
        index["environment"],
        tuple(assets),
        Codes(
            {str(place): CodeRecord(version, {}) for place, version in enumerate(versions)},
            {(AssetKey(asset), name): CodeVersion(version) for asset, name, version, *_ in index["checks"]},
        ),
        frozenset(key for key, row in zip(assets, index["assets"], strict=True) if row[2]),
        frozenset(key for key, row in zip(assets, index["assets"], strict=True) if row[3]),
    )
    return Saved(
        question,
        State(
            generation=index["generation"],
            uids={key: row[1] for key, row in zip(assets, index["assets"], strict=True)},
            keys=KeyDictionary(),
            assets={key: AssetState(*columns) for key, columns in zip(assets, states, strict=True)},
            codes={number: CodeRecord(CodeVersion(""), {}) for number in index["codes"]},
            failures=failures,
            retained=retained,
            candidates=candidates,
            checks=checks,
            verified=verified,
            mark=mark,
        ),
    )


def _parts(column: Column, counts: Iterable[int]) -> Iterator[Column]:
    at = 0
    for count in counts:
        yield column[at : at + count]
        at += count


def _filled(
    column: Column, counts: Iterable[int], constants: Iterable[int | None], kind: np.dtype[Any]
) -> Iterator[Column]:
    at = 0
    for count, constant in zip(counts, constants, strict=True):
        if constant is None:
            yield column[at : at + count]
            at += count
        else:
            yield np.broadcast_to(np.array(constant, kind), (count,))


def _offered(sections: _Sections, assets: list[AssetKey], rows: list[tuple[int, int]]) -> dict[AssetKey, Retained]:
    sizes = [count for _, count in rows]
    ordinals = _parts(sections.take("<i8"), sizes)
    keys = _parts(sections.take("<u8").reshape(-1, 2), sizes)
    version, derivation = _parts(sections.take("<i8"), sizes), _parts(sections.take("<i8"), sizes)
    columns = zip(rows, ordinals, keys, version, derivation, strict=True)
    return {assets[place]: Retained(*each) for (place, _), *each in columns}


def _failures(
    sections: _Sections, assets: list[AssetKey], rows: list[tuple[int, list[str], list[str]]]
) -> dict[AssetKey, Failures]:
    parts = _parts(sections.take("<i8"), [count for _, runs, _ in rows for count in (len(runs), 2 * len(runs))])
    return {
        assets[place]: Failures(next(parts), next(parts).view(np.uint64).reshape(-1, 2), tuple(runs), tuple(errors))
        for place, runs, errors in rows
    }
