"""Takes the power from a run at moments of the publish protocol, and looks at what the disk may hold then.

Prints one line; exits with 1 after the first moment that left something broken.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from driver import MOMENTS, build, in_child, look, prepared
from points import Points
from power import Disk, after_power_loss

from assetflow.publish import folders

CARELESS = "careless" in sys.argv
"""Whether versions are not made durable, so that something has to break."""

SEEDS = 3
"""Layouts of a disk that are tried for each moment, beside the one without anything that was not synced."""


def main() -> int:
    base = Path(sys.argv[1])
    stride, offset = int(sys.argv[2]), int(sys.argv[3])
    before = prepared(base)
    for moment in range(1 + offset, MOMENTS, stride):
        folder, shadow = base / "case", base / "shadow"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(shadow, ignore_errors=True)
        shutil.copytree(before, folder)
        (folder / "source.txt").write_text("new")

        def stopped(folder: Path = folder, shadow: Path = shadow, moment: int = moment) -> None:
            os.chdir(folder)
            if CARELESS:
                folders.sync_all = lambda paths: None
            # The disk is nearer to the metal: a moment after an fsync is one in which it has happened.
            Disk(folder, shadow).install()
            Points(moment).install()
            build(folder)

        finished = in_child(stopped) == 0
        for seed in (None, *range(SEEDS)):
            disk = base / "disk"
            shutil.rmtree(disk, ignore_errors=True)
            after_power_loss(folder, shadow, disk, None if seed is None else random.Random(f"{moment} {seed}"))

            def inspected(disk: Path = disk) -> None:
                os.chdir(disk)
                # That a folder was thrown away may be lost where its intent was settled: nobody reads it.
                look(disk, orphans=True)

            if in_child(inspected) != 0:
                print(f"broken at moment {moment} with seed {seed}")
                return 1
        if finished:
            print(f"whole at every moment up to {moment}")
            return 0
    print("the run never finished")
    return 1


if __name__ == "__main__":
    sys.exit(main())
