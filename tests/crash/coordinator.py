"""One of several coordinators: runs a project again and again, and says what it did until it is stopped or killed."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from histories import BEGUN

from assetflow import AssetContext, Definitions, Project, StaticPartitions, asset, observable_source
from assetflow.store.sqlite import SqliteDatabase
from assetflow.store.writer import Writer

NAMES = [f"k{number}" for number in range(6)]
KEYS = StaticPartitions(NAMES)
LIMITS = {"warehouse": 2, "narrow": 1}
LEASE = 1.0


def say(*words: object) -> None:
    """One line of the common log; whole, whoever else writes."""
    line = " ".join(map(str, (time.monotonic_ns(), os.getpid(), *words))) + "\n"
    with open("log", "ab", buffering=0) as log:
        log.write(line.encode())


def work(context: AssetContext, key: str, weight: int, pool: str) -> str:
    """Something that takes a slot for a while."""
    say("begin", context.asset, key, context.run_id, pool, weight)
    time.sleep(random.uniform(0.0, 0.01))
    say("end", context.asset, key, context.run_id, pool, weight)
    return Path("source").read_text()


@observable_source(partitions=KEYS)
def source() -> dict[str, str]:
    text = Path("source").read_text()
    return {f"k{number}": text if number % 2 else text[:-1] for number in range(6)}


@asset(deps=[source], partitions=KEYS, pool="warehouse")
def light(context: AssetContext) -> str:
    return work(context, context.partition_key, 1, "warehouse") + context.run_id


@asset(partitions=KEYS, pool=("warehouse", 2))
def heavy(context: AssetContext, light: str) -> str:
    return light + work(context, context.partition_key, 2, "warehouse")


@asset(deps=[source], partitions=KEYS, pool=("warehouse", 2))
def side(context: AssetContext) -> str:
    return work(context, context.partition_key, 2, "warehouse")


@asset(pool="narrow")
def total(context: AssetContext, heavy: dict[str, str]) -> str:
    return work(context, "-", 1, "narrow") + str(len(heavy))


defs = Definitions(assets=[source, light, heavy, side, total])


def tell_acknowledged() -> None:
    """Say which publications the store has acknowledged, before anybody hears of it."""
    answer, begin = Writer._answer, SqliteDatabase.begin

    def answered(self: Any, accepted: Sequence[Any], refused: Sequence[Any]) -> None:
        for request, generation in accepted:
            if request.group is not None:
                for move in request.group.publications:
                    say("published", move.environment, move.uid, move.ordinal, generation, request.group.fence)
        for request, error in refused:
            if request.group is not None:
                say("refused", type(error).__name__)
        answer(self, accepted, refused)

    def begun(self: SqliteDatabase, connection: Any, patience: float) -> None:
        begin(self, connection, patience)
        connection.execute(BEGUN)

    Writer._answer = answered  # type: ignore[method-assign]
    SqliteDatabase.begin = begun  # type: ignore[method-assign]


def opened(folder: Path) -> Project:
    return Project(defs, store="sqlite:///store.db", storage="data", root=folder, lease_seconds=LEASE, pools=LIMITS)


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    os.chdir(folder)
    tell_acknowledged()
    chance = random.Random(seed)
    say("started")
    while not Path("stop").exists():
        if chance.random() < 0.5:
            replaced = Path(f"source.{os.getpid()}")
            replaced.write_text(f"{chance.random():.3f}")
            replaced.replace("source")
        with opened(folder) as project:
            select = chance.choice(["*", "light", "side", "heavy", "light or heavy"])
            keys = None if select == "*" else chance.sample(NAMES, 3)
            result = project.materialize(select, keys)
            say("result", result.status, result.run_id, *(f"{k}={n}" for k, n in result.counts.items() if n))
            for failure in result.failures:
                say("failure", failure)


if __name__ == "__main__":
    main()
