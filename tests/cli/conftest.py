"""Golden transcripts: what a session on a small project prints, compared with a file in ``golden/``.

``pytest tests/cli --update-golden`` writes the files anew; look at the difference before committing it.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from assetflow.cli.main import run

HERE = Path(__file__).parent

VARYING = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "<time>"),
    (re.compile(r"\b\d+\.\d+ s\b"), "<duration>"),
    (re.compile(r"\b\d+ seconds? ago\b"), "<duration> ago"),
    (re.compile(r'("seconds": )\d+(\.\d+)?'), r"\1<seconds>"),
    (re.compile(r'("bytes": )\d+'), r"\1<bytes>"),
    (re.compile(r"\b([ac]1:)[0-9a-f]{32}\b"), r"\1<hash>"),
    (re.compile(r"\bp-[0-9a-f]{16}\b"), "<plan>"),
    (re.compile(r"(?<=run )[0-9a-f]{12}\b|(?<=runs show )[0-9a-f]{12}\b|(?<=\")[0-9a-f]{12}(?=\")"), "<run>"),
    (re.compile(r"\b[0-9a-f]{12}\b(?=  (success|failed|canceled|a1:))"), "<run>"),
)


# A timeline is as long as things took: whether there is a bar, and whether it is on the critical path, is what stays.
BAR = re.compile(r"(?m) +(\* |  |)[.#>]+ *[.#>]*$")


def normalised(text: str, folder: Path) -> str:
    """The text with what differs from run to run replaced: times, durations, ids, hashes and the folder.

    The width of a column follows its longest cell: the table of runs, which has durations, loses its alignment too.
    """
    text = text.replace(str(folder), "<folder>")
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    if "  timeline\n" in text:
        text = re.sub(r"─+", "───", BAR.sub("  <bar>", text))
    if text.startswith("run  "):
        text = re.sub(r"─+", "───", re.sub(r" {2,}", "  ", text))
    return text


@dataclass
class Session:
    """Runs commands in a copy of the project ``till`` and writes down what they print; ``!`` marks stderr."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    transcript: list[str] = field(default_factory=list)
    first_run: str | None = None
    last_run: str | None = None

    def run(self, command: str) -> int:
        """Run one command; FIRST_RUN and LAST_RUN in it stand for the ids of these runs."""
        arguments = shlex.split(command)
        for name, run_id in (("FIRST_RUN", self.first_run), ("LAST_RUN", self.last_run)):
            if run_id is not None:
                arguments = [argument.replace(name, run_id) for argument in arguments]
        code = run(arguments)
        out, err = self.capture.readouterr()
        if found := re.search(r"\(run (\w+)\)", out):
            self.last_run = found[1]
            self.first_run = self.first_run or self.last_run
        if "--json" in arguments:
            out = json.dumps(json.loads(out), indent=1, ensure_ascii=False) + "\n"
        marked = "".join(f"! {line}\n" for line in err.splitlines())
        ended = f"[exit {code}]\n" if code else ""
        self.transcript.append(f"$ assetflow {command}\n{normalised(out + marked, self.folder)}{ended}")
        return code

    def write(self, file: str, text: str) -> None:
        """Write a file of the project."""
        self.transcript.append(f"# {file} is now:\n" + "".join(f"#   {line}\n" for line in text.splitlines()))
        (self.folder / file).write_text(text)

    def edit(self, file: str, old: str, new: str) -> None:
        """Change one place of a file of the project."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1
        self.transcript.append(f"# in {file}: {old}  ->  {new}\n")
        path.write_text(text.replace(old, new))

    def delete(self, file: str) -> None:
        """Delete a file of the project."""
        self.transcript.append(f"# {file} is gone\n")
        (self.folder / file).unlink()

    def text(self) -> str:
        """The whole transcript."""
        return "\n".join(self.transcript)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/cli/golden/*.txt anew")


@pytest.fixture
def till(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Session:
    """A session in a fresh copy of the project."""
    folder = tmp_path / "till"
    shutil.copytree(HERE / "till", folder, ignore=shutil.ignore_patterns("__pycache__", ".assetflow"))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)
    return Session(folder, capfd)


@pytest.fixture
def session(till: Session, request: pytest.FixtureRequest) -> Iterator[Session]:
    """A session whose transcript is compared, at its end, with the golden file named after the test."""
    yield till
    session = till
    golden = HERE / "golden" / f"{request.node.name.removeprefix('test_')}.txt"
    if request.config.getoption("--update-golden", default=False):
        golden.write_text(session.text(), encoding="utf-8")
    assert session.text() == golden.read_text(encoding="utf-8")
