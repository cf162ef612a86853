"""COUNT: the first tick of Dagster's automation over three assets of COUNT static keys each, nothing materialized."""

import json
import logging
import sys
import time

import dagster

logging.disable(logging.CRITICAL)
keys = dagster.StaticPartitionsDefinition([f"key_{number:07d}" for number in range(int(sys.argv[1]))])


def made(name: str, *above: str) -> dagster.AssetsDefinition:
    @dagster.asset(
        name=name, partitions_def=keys, deps=list(above), automation_condition=dagster.AutomationCondition.eager()
    )
    def one() -> None: ...

    return one


definitions = dagster.Definitions(assets=[made("first"), made("second", "first"), made("third", "second")])
with dagster.DagsterInstance.ephemeral() as instance:
    began, worked = time.perf_counter(), time.process_time()
    dagster.evaluate_automation_conditions(defs=definitions, instance=instance)
    figures = {"tick": time.perf_counter() - began, "tick work": time.process_time() - worked}
print(json.dumps(figures))
