"""Source text of a module with many trivial assets; the same text declares them for assetflow and for Dagster."""

from __future__ import annotations

SHAPES = ("chain", "fan_out", "layers")


def source(shape: str, count: int, tool: str) -> str:
    """A module of ``count`` assets ``a0``, ``a1``, ...: in a chain, all from the first, or each from two before it."""
    lines = [f"from {tool} import Definitions, asset", ""]
    for n in range(count):
        upstream = [] if n == 0 else {"chain": [n - 1], "fan_out": [0], "layers": sorted({n // 2, n // 3})}[shape]
        parameters = ", ".join(f"a{each}: int" for each in upstream)
        value = " + ".join([str(n), *(f"a{each}" for each in upstream)])
        lines += ["", "@asset", f"def a{n}({parameters}) -> int:", f"    return {value}", ""]
    names = ", ".join(f"a{n}" for n in range(count))
    return "\n".join([*lines, "", f"defs = Definitions(assets=[{names}])", ""])
