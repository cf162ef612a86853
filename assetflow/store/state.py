"""The planner's State, read from the tables: a few statements for all assets, columns in numpy, no work by row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from assetflow.keys import AssetKey, CodeVersion
from assetflow.partitions.dictionary import KeyDictionary
from assetflow.planner.state import (
    AssetState,
    CheckResults,
    CodeRecord,
    Codes,
    Failures,
    Former,
    Integers,
    Mark,
    Retained,
    State,
    empty_asset_state,
)
from assetflow.store import statements as sql
from assetflow.store.columns import gathered
from assetflow.store.connection import Connection
from assetflow.store.dynamic import KeySet, read_dynamic
from assetflow.store.encoding import from_json, to_json, to_lanes
from assetflow.store.pointers import Layouts, read_pointers
from assetflow.store.scopes import Scope

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What a state is asked for: the arguments of ``read_state``."""

    environment: int
    assets: tuple[AssetKey, ...]
    codes: Codes
    sources: frozenset[AssetKey]
    verified: frozenset[AssetKey]
    uids: frozenset[tuple[AssetKey, int]] = frozenset()
    """Those of the project that asks; of other assets, the uid that was given out last is meant."""


def asked(
    environment: int,
    assets: Iterable[AssetKey],
    codes: Codes,
    sources: Collection[AssetKey],
    verified: Collection[AssetKey],
    uids: Mapping[AssetKey, int] | None,
) -> Question:
    """The question that these arguments are."""
    known = frozenset((uids or {}).items())
    return Question(environment, tuple(assets), codes, frozenset(sources), frozenset(verified), known)


@dataclass(slots=True)
class Remembered:
    """What never changes once it is written, so that a long-lived reader fetches it once."""

    codes: dict[int, CodeVersion] = field(default_factory=dict[int, CodeVersion])
    components: dict[int, CodeRecord] = field(default_factory=dict[int, CodeRecord])
    layouts: Layouts = field(default_factory=Layouts)
    keys: KeyDictionary = field(default_factory=KeyDictionary)
    dynamic: dict[int, KeySet] = field(default_factory=dict[int, KeySet])


@dataclass(frozen=True, slots=True)
class Scopes:
    """The partitions that are read: of assets that are built here, and of sources."""

    built: Scope
    observed: Scope

    @property
    def every(self) -> dict[int, AssetKey]:
        """Both by uid."""
        return {**self.built.assets, **self.observed.assets}


def read_state(connection: Connection, remembered: Remembered, question: Question) -> State:
    """The answer to a question; to be called inside a read transaction."""
    uids = read_uids(connection, question)
    state = read_parts(connection, remembered, question, uids, whole(question, uids))
    verified = {key: times for key, times in state.verified.items() if len(times)}
    checks = {place: results for place, results in state.checks.items() if any_result(results)}
    return replace(state, verified=verified, checks=checks)


def whole(question: Question, uids: Mapping[AssetKey, int]) -> Scopes:
    """All partitions of all assets that are asked for."""
    known = {uids[key]: key for key in question.assets if key in uids}
    return Scopes(
        Scope({uid: key for uid, key in known.items() if key not in question.sources}),
        Scope({uid: key for uid, key in known.items() if key in question.sources}),
    )


def read_parts(
    connection: Connection,
    remembered: Remembered,
    question: Question,
    uids: Mapping[AssetKey, int],
    scopes: Scopes,
) -> State:
    """What is recorded of the partitions in ``scopes``.

    Of every asset in them whose times are asked for there is an entry in ``verified``, and one in ``checks`` of every
    check, be they empty.
    """
    generation, derivation, change = connection.execute(sql.MARK).fetchone()
    columns, used = read_pointers(connection, remembered.layouts, question.environment, scopes.built)
    columns |= read_pointers(connection, remembered.layouts, 0, scopes.observed)[0]
    nothing = empty_asset_state()
    present = {record.version: record for record in question.codes.computations.values()}
    ids = code_ids(connection, remembered, present)
    retained, candidates = _reusable(connection, question.environment, scopes.built, list(ids.values()))
    return State(
        generation=generation,
        uids=uids,
        former=_former(connection, question, uids),
        keys=read_keys(connection, remembered),
        dynamic=read_dynamic(connection, remembered.dynamic),
        assets={key: columns.get(key, nothing) for key in question.assets},
        codes=read_codes(connection, remembered, present, used),
        failures=_failures(connection, question.environment, scopes.built),
        retained=retained,
        candidates=candidates,
        checks=_checks(connection, remembered, question, scopes.built, uids, columns, (retained, candidates)),
        verified=_verified(connection, question, scopes, columns),
        mark=Mark(derivation, change),
    )


def read_uids(connection: Connection, question: Question) -> dict[AssetKey, int]:
    """The uids of those assets that have one."""
    known = _known_uids(connection, question)
    uids = dict(question.uids & {(key, uid) for key, uid, _ in known})
    for key, uid, _ in known:
        uids.setdefault(key, uid)
    return uids


def _known_uids(connection: Connection, question: Question) -> list[tuple[AssetKey, int, str | None]]:
    return connection.execute(sql.UIDS, (to_json(question.assets),)).fetchall()


def _former(connection: Connection, question: Question, uids: Mapping[AssetKey, int]) -> dict[AssetKey, Former]:
    """What assets were before their ordinals counted what they do now: of each the one published last."""
    found: dict[AssetKey, Former] = {}
    for key, uid, space in _known_uids(connection, question):
        if space is None or uid == uids[key]:
            continue
        of = 0 if key in question.sources else question.environment
        count, last = connection.execute(sql.FORMER_USE, {"environment": of, "uid": uid}).fetchone()
        if count and (key not in found or (last or 0) > found[key].published_at):
            found[key] = Former(space, count, last or 0)
    return found


def read_keys(connection: Connection, remembered: Remembered) -> KeyDictionary:
    """The dictionary of partition keys, which only ever grows."""
    values = (remembered.keys.last,)
    added = gathered(connection, sql.KEYS, values, numbers=("ordinal", "size"), octets=("octets",))
    if added.count:
        ordinals, sizes = added.numbers
        remembered.keys = remembered.keys.followed(added.octets[0], np.cumsum(sizes), ordinals)
    return remembered.keys


def code_ids(
    connection: Connection, remembered: Remembered, versions: Collection[CodeVersion]
) -> dict[CodeVersion, int]:
    """The ids of those code versions that the store has met."""
    query = "SELECT id, version FROM code_versions WHERE version IN (SELECT CAST(value AS TEXT) FROM json_each(?))"
    rows: list[tuple[int, CodeVersion]] = connection.execute(query, (to_json(list(versions)),)).fetchall()
    remembered.codes.update(rows)
    return {version: number for number, version in rows}


def read_codes(
    connection: Connection,
    remembered: Remembered,
    present: Mapping[CodeVersion, CodeRecord],
    used: Iterable[int],
) -> dict[int, CodeRecord]:
    """The code versions with these ids, those in ``present`` as they are there."""
    records: dict[int, CodeRecord] = {}
    unknown: list[int] = []
    for number in used:
        record = present.get(remembered.codes.get(number, CodeVersion(""))) or remembered.components.get(number)
        if record is not None:
            records[number] = record
        elif number:
            unknown.append(number)
    if unknown:
        query = "SELECT id, version, components FROM code_versions WHERE id IN (SELECT value FROM json_each(?))"
        for number, version, components in connection.execute(query, (to_json(unknown),)):
            records[number] = CodeRecord(version, from_json(components))
            if records[number].components:
                remembered.components[number] = records[number]
    return records


def any_result(results: CheckResults) -> bool:
    """Whether there is any."""
    return bool(len(results.passed) or len(results.failed) or len(results.earlier))


def _failures(connection: Connection, environment: int, scope: Scope) -> dict[AssetKey, Failures]:
    if not scope:
        return {}
    query = scope.statement(sql.FAILURES, "failures", "f")
    rows = connection.execute(query, {**scope.values(), "environment": environment}).fetchall()
    failures: dict[AssetKey, Failures] = {}
    for uid, part in _by_asset(rows):
        _, ordinals, keys, runs, errors = zip(*part, strict=True)
        failures[scope.assets[uid]] = Failures(np.array(ordinals, np.int64), to_lanes(b"".join(keys)), runs, errors)
    return failures


def _reusable(
    connection: Connection, environment: int, scope: Scope, codes: Sequence[int]
) -> tuple[dict[AssetKey, Retained], dict[AssetKey, Retained]]:
    """Retained derivations and quarantined candidates."""
    if not scope or not codes:
        return {}, {}
    values = {**scope.values(), "codes": to_json(codes)}
    found = [_offered(connection, scope.retired(len(codes)), values)]
    elsewhere = scope.statement(sql.CURRENT_ELSEWHERE, "pointers", "p")
    for (other,) in connection.execute("SELECT id FROM environments WHERE id != ?", (environment,)).fetchall():
        found.append(_offered(connection, elsewhere, {**values, "environment": other}))
    asset, ordinal, refused, version, derivation, keys = (np.concatenate(column) for column in zip(*found, strict=True))
    if len(found) > 1:
        order = np.lexsort((derivation, ordinal, asset))
        asset, ordinal, refused = asset[order], ordinal[order], refused[order]
        version, derivation, keys = version[order], derivation[order], keys[order]
    retained: dict[AssetKey, Retained] = {}
    candidates: dict[AssetKey, Retained] = {}
    for mask, records in ((refused == 0, retained), (refused != 0, candidates)):
        picked = np.flatnonzero(mask)
        for uid, part in _runs(asset[picked]):
            at = picked[part]
            records[scope.assets[uid]] = Retained(ordinal[at], keys[at], version[at], derivation[at])
    return retained, candidates


def _offered(connection: Connection, query: str, values: Mapping[str, object]) -> tuple[Any, ...]:
    names = ("asset", "ordinal", "refused", "version", "derivation")
    found = gathered(connection, query, values, numbers=names, octets=("key",))
    return (*found.numbers, to_lanes(found.octets[0]))


def _checks(
    connection: Connection,
    remembered: Remembered,
    question: Question,
    scope: Scope,
    uids: Mapping[AssetKey, int],
    states: Mapping[AssetKey, AssetState],
    reusable: tuple[Mapping[AssetKey, Retained], ...],
) -> dict[tuple[AssetKey, str], CheckResults]:
    checks = question.codes.checks
    ids = code_ids(connection, remembered, list(checks.values())) if checks else {}
    results: dict[tuple[AssetKey, str], CheckResults] = {}
    for (asset, name), version in checks.items():
        values: dict[str, object] = {"name": name, "code": ids.get(version, 0)}
        found: list[tuple[Integers, Integers]] = []
        if asset in states and uids[asset] in scope.assets:
            only = scope.restricted([asset])
            query = only.statement(sql.CHECKS, "pointers", "p")
            found.append(_results(connection, query, {**values, **only.values(), "environment": question.environment}))
        others = [int(number) for offered in reusable if asset in offered for number in offered[asset].version]
        if others:
            found.append(_results(connection, sql.VERSION_CHECKS, {**values, "versions": to_json(others)}))
        results[asset, name] = _check_results(found)
    return results


def _results(connection: Connection, query: str, values: Mapping[str, object]) -> tuple[Integers, Integers]:
    found = gathered(connection, query, values, numbers=("version", "result"))
    return found.numbers[0], found.numbers[1]


def _check_results(found: Sequence[tuple[Integers, Integers]]) -> CheckResults:
    nothing = np.empty(0, np.int64)
    version = np.concatenate([versions for versions, _ in found] or [nothing])
    result = np.concatenate([results for _, results in found] or [nothing])
    passed, failed, earlier = (np.unique(version[result == kind]) for kind in (1, 2, 0))
    return CheckResults(passed, failed, np.setdiff1d(np.setdiff1d(earlier, passed), failed))


def _verified(
    connection: Connection, question: Question, scopes: Scopes, states: Mapping[AssetKey, AssetState]
) -> dict[AssetKey, Integers]:
    """When the data of each pointer was last computed, or observed; 0 where that is not recorded."""
    nothing = np.empty(0, np.int64)
    times = {key: nothing for key in scopes.every.values() if key in question.verified}
    if not times:
        return {}
    built = scopes.built.restricted(key for key in times if key in states)
    if built:
        query = built.statement(sql.VERIFIED, "pointers", "p")
        values = {**built.values(), "environment": question.environment}
        uids, verified = gathered(connection, query, values, numbers=("asset", "verified")).numbers
        times |= {built.assets[uid]: verified[part] for uid, part in _runs(uids)}
    for uid, at in read_observed(connection, scopes.observed).items():
        key = scopes.observed.assets[uid]
        if key in times and key in states:
            times[key] = np.full(len(states[key].ordinals), at, np.int64)
    for key in times:
        if key in states and not len(times[key]):
            times[key] = np.zeros(len(states[key].ordinals), np.int64)
    return times


def read_observed(connection: Connection, scope: Scope) -> dict[int, int]:
    """When each source in ``scope`` last answered, by uid; 0 for never."""
    rows = connection.execute(sql.OBSERVED_AT, (to_json(list(scope.assets)),)).fetchall()
    return {uid: at or 0 for uid, at in rows}


def _runs(uids: Integers) -> Iterable[tuple[int, slice]]:
    """The runs of equal numbers: the number and where it stands."""
    bounds = [0, *(np.flatnonzero(np.diff(uids)) + 1).tolist(), len(uids)]
    for first, last in pairwise(bounds):
        if first < last:
            yield int(uids[first]), slice(first, last)


def _by_asset(rows: list[Row]) -> Iterable[tuple[int, list[Row]]]:
    """Rows that begin with their asset's uid and stand in its order, one asset after the other."""
    first = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place][0] != rows[first][0]:
            yield rows[first][0], rows[first:place]
            first = place
