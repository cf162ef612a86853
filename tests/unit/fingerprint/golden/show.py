"""Prints the fingerprints of the sample as JSON; runs on a bare interpreter of any supported version."""

from __future__ import annotations

import json
import sys
from pathlib import Path

NAMES = ["expressions", "statements", "matching", "waiting", "total", "by_two", "shorter", "first", "second"]


def main() -> None:
    here = Path(__file__).parent
    sys.path.insert(0, str(here))
    sys.dont_write_bytecode = True

    from sample import assets

    from assetflow.fingerprint.code import SourceCache, fingerprint
    from assetflow.fingerprint.sources import project_predicate

    cache, inside = SourceCache(), project_predicate(here)
    shown: dict[str, object] = {}
    for name in NAMES:
        found = fingerprint(getattr(assets, name), inside=inside, options={"missing": "wait"}, cache=cache)
        shown[name] = {"version": found.version, "components": found.components, "untracked": found.untracked}
    print(json.dumps(shown, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
