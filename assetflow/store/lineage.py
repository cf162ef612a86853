"""What versions were made from, and which versions were made from an asset."""

from __future__ import annotations

from collections.abc import Collection

from assetflow.keys import VersionId
from assetflow.store.connection import Connection
from assetflow.store.encoding import to_json
from assetflow.store.records import LineageRow

ROWS = """
SELECT v.id, a.key, v.asset, v.ordinal, i.parameter, u.key, i.upstream, json_extract(r.value, '$[0]'),
    json_extract(r.value, '$[1]'), i.as_of
FROM {chosen} AS c
JOIN versions AS v ON v.id = c.version
JOIN derivation_inputs AS i ON i.derivation = c.derivation
JOIN json_each(i.ranges) AS r
JOIN assets AS a ON a.uid = v.asset
JOIN assets AS u ON u.uid = i.upstream
{restriction}
ORDER BY v.id, i.parameter, 8
"""

# The newest derivation that computing in an environment led to, else the one that made the version.
CHOSEN = """(
    SELECT w.id AS version, coalesce((
        SELECT max(d.id) FROM derivations AS d
        WHERE d.version = w.id AND d.environment = :environment AND d.kind IN ('computed', 'reused')
    ), w.derivation) AS derivation
    FROM versions AS w WHERE w.id IN ({versions})
)"""

GIVEN = "SELECT value FROM json_each(:versions)"

# Versions of which any derivation read the asset; whether the one that counts did is decided afterwards.
READING = """
    SELECT d.version FROM derivation_inputs AS e JOIN derivations AS d ON d.id = e.derivation
    WHERE e.upstream = :upstream
"""

ALL_LINEAGE = ROWS.format(chosen=CHOSEN.format(versions="SELECT id FROM versions"), restriction="")


def lineage_of(connection: Connection, versions: Collection[VersionId], environment: int | None) -> list[LineageRow]:
    """The rows of some versions."""
    statement = ROWS.format(chosen=CHOSEN.format(versions=GIVEN), restriction="")
    values = {"environment": environment, "versions": to_json(list(versions))}
    return [LineageRow(*row) for row in connection.execute(statement, values)]


def readers_of(connection: Connection, upstream: int, environment: int | None) -> list[LineageRow]:
    """The rows, of all versions, whose upstream is the asset."""
    statement = ROWS.format(chosen=CHOSEN.format(versions=READING), restriction="WHERE i.upstream = :upstream")
    values = {"environment": environment, "upstream": upstream}
    return [LineageRow(*row) for row in connection.execute(statement, values)]
