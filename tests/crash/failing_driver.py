"""Lets each operation of a run fail, one after the other, and looks at what is told and at what is left.

Prints one line; exits with 1 after the first failure that was told badly or left something broken.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import cast

sys.path.insert(0, str(Path(__file__).parent))

from driver import MOMENTS, in_child, look, opened, prepared
from failing import Faults, Kind, When

from assetflow.errors import AssetflowError

UNTOUCHED = 3
"""The child's exit code where the run had no such operation."""


def main() -> int:
    base, stride, offset = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    kind, when = cast("Kind", sys.argv[4]), cast("When", sys.argv[5])
    before = prepared(base)
    for number in range(1 + offset, MOMENTS, stride):
        folder = base / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder)
        (folder / "source.txt").write_text("new")

        def failing(folder: Path = folder, number: int = number) -> None:
            os.chdir(folder)
            faults = Faults(number, kind, when)
            faults.install()
            try:
                with opened(folder) as project:
                    project.materialize()
            except AssetflowError as error:
                if "Traceback" in error.message or not error.message or not error.hint:
                    raise RuntimeError("no clear message with advice") from error
            if faults.passed < number:
                sys.stdout.flush()
                os._exit(UNTOUCHED)

        def inspected(folder: Path = folder) -> None:
            os.chdir(folder)
            look(folder, orphans=True, retry=True)

        status = in_child(failing)
        if os.waitstatus_to_exitcode(status) not in (0, UNTOUCHED):
            print(f"told badly at operation {number}")
            return 1
        if in_child(inspected) != 0:
            print(f"broken at operation {number}")
            return 1
        if os.waitstatus_to_exitcode(status) == UNTOUCHED:
            print(f"whole at every operation up to {number}")
            return 0
    print("the run never finished")
    return 1


if __name__ == "__main__":
    sys.exit(main())
