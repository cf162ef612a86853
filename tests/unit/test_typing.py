from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKER = shutil.which("basedpyright", path=str(Path(sys.executable).parent))


@pytest.mark.skipif(CHECKER is None, reason="basedpyright is not installed")
def test_programs_of_users_type_check(tmp_path: Path) -> None:
    settings = tmp_path / "pyrightconfig.json"
    programs = sorted(str(path) for path in (ROOT / "tests" / "typing").glob("*.py"))
    settings.write_text(
        f'{{"include": {programs!r}, "typeCheckingMode": "strict", "reportUnnecessaryTypeIgnoreComment": true, '
        f'"extraPaths": ["{ROOT}"], "pythonVersion": "3.11"}}'.replace("'", '"')
    )
    command = [str(CHECKER), "--project", str(settings), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
