"""Whether the store is whole: the database's own checks, and what has to hold between the tables."""

from __future__ import annotations

from collections.abc import Sequence

from assetflow.store.connection import Connection

RULES: tuple[tuple[str, str], ...] = (
    (
        "{count} pointers lead to a version that is not recorded (the first is version {first})",
        "SELECT p.version AS id FROM pointers AS p LEFT JOIN versions AS v ON v.id = p.version WHERE v.id IS NULL",
    ),
    (
        "{count} pointers have no derivation (the first leads to version {first})",
        """
        SELECT p.version AS id FROM pointers AS p LEFT JOIN derivations AS d ON d.id = p.derivation WHERE d.id IS NULL
        """,
    ),
    (
        "{count} pointers lead to a quarantined version (the first is version {first})",
        """
        SELECT p.version AS id FROM pointers AS p JOIN versions AS v ON v.id = p.version WHERE v.state = 'quarantined'
        """,
    ),
    (
        "{count} pointers lead to a deleted version (the first is version {first})",
        "SELECT p.version AS id FROM pointers AS p JOIN versions AS v ON v.id = p.version WHERE v.state = 'deleted'",
    ),
    (
        "{count} pointers disagree with the last entry of their log (the first leads to version {first})",
        """
        SELECT p.version AS id FROM pointers AS p LEFT JOIN pointer_log AS l
            ON l.environment = p.environment AND l.asset = p.asset AND l.ordinal = p.ordinal
            AND l.generation = p.generation AND l.version = p.version AND l.derivation = p.derivation
        WHERE l.version IS NULL
        """,
    ),
    (
        "{count} versions have no derivation (the first is version {first})",
        "SELECT v.id AS id FROM versions AS v LEFT JOIN derivations AS d ON d.id = v.derivation WHERE d.id IS NULL",
    ),
    (
        "{count} versions belong to an asset that is not recorded (the first is version {first})",
        "SELECT v.id AS id FROM versions AS v LEFT JOIN assets AS a ON a.uid = v.asset WHERE a.uid IS NULL",
    ),
    (
        "{count} inputs belong to a derivation that is not recorded (the first is derivation {first})",
        """
        SELECT i.derivation AS id FROM derivation_inputs AS i LEFT JOIN derivations AS d ON d.id = i.derivation
        WHERE d.id IS NULL
        """,
    ),
    (
        "{count} check results are of a version that is not recorded (the first is version {first})",
        "SELECT r.version AS id FROM check_results AS r LEFT JOIN versions AS v ON v.id = r.version WHERE v.id IS NULL",
    ),
    (
        "{count} keys of dynamic partitions are not in the dictionary of keys (the first is {first})",
        """
        SELECT d.ordinal AS id FROM dynamic_keys AS d LEFT JOIN partition_keys AS k ON k.ordinal = d.ordinal
        WHERE k.ordinal IS NULL
        """,
    ),
    (
        "{count} pointers are newer than the last generation (the first is of generation {first})",
        "SELECT p.generation AS id FROM pointers AS p, counters AS c WHERE p.generation > c.generation",
    ),
)


def integrity(connection: Connection, damage: Sequence[str]) -> list[str]:
    """What is wrong, a sentence each; where the database finds ``damage`` in itself, that only."""
    if damage:
        return [f"the database is damaged: {text}" for text in damage]
    faults: list[str] = []
    for sentence, query in RULES:
        count, first = connection.execute(f"SELECT count(*), min(id) FROM ({query}) AS broken").fetchone()
        if count:
            faults.append(sentence.format(count=count, first=first))
    return faults
