"""Trivial tasks in Luigi: SHAPE COUNT; local scheduler, one JSON file each in the working directory."""

from __future__ import annotations

import json
import sys
import time

import luigi

shape, count = sys.argv[1], int(sys.argv[2])


class Number(luigi.Task):
    n = luigi.IntParameter()

    def requires(self):
        return [] if self.n == 0 else [Number(self.n - 1 if shape == "chain" else 0)]

    def output(self):
        return luigi.LocalTarget(f"{self.n}.json")

    def run(self):
        upstream = [json.loads(target.open().read()) for target in self.input()]
        with self.output().open("w") as file:
            file.write(json.dumps(self.n + sum(upstream)))


class Everything(luigi.WrapperTask):
    def requires(self):
        return [Number(n) for n in range(count)]


sys.setrecursionlimit(10 * count + 1000)
began = time.perf_counter()
assert luigi.build([Everything()], local_scheduler=True, log_level="CRITICAL")
print(json.dumps({"each": (time.perf_counter() - began) / count}))
