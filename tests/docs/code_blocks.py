"""Runs the code blocks of a documentation page as a reader would: from top to bottom, in one new folder.

    ```python                 runs; the blocks of a page share their names; with `>>>` the shown results must match
    ```python title="a.py"    is written to that file, in any language; a later block has to use it
    ```console                lines `$ command`; what follows each is its whole output, stdout and stderr together
    ```bash                   runs as one script that must succeed; its output does not matter

In expected output a line `...` stands for any lines, and `...` within a line for any characters. A command must
succeed, unless the next one is `$ echo $?`. The folder and exported variables carry over from command to command.
`<!-- not executed: reason -->` before a block of shell set-up (pip, make, git clone) leaves that block out.

    python tests/docs/code_blocks.py PAGE FOLDER        runs a page in FOLDER and reports the first block that fails
"""

from __future__ import annotations

import doctest
import os
import re
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

FENCE = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
TITLE = re.compile(r"""title=["'](?P<title>[^"']+)["']""")
FILE_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*\.\w+")
EXCUSE = re.compile(r"^<!--\s*not executed:\s*(?P<reason>.*?)\s*-->$")
SET_UP = re.compile(
    r"(pip|pipx|uv|make|brew|cd|source|git clone|python3? -m (venv|pip)|(sudo )?apt(-get)? install)\b|\. "
)
EXECUTED = {"python", "console", "bash"}
MISNAMED = {
    "": "text",
    "py": "python",
    "py3": "python",
    "python3": "python",
    "pycon": "python",
    "sh": "bash",
    "shell": "bash",
    "zsh": "bash",
    "shell-session": "console",
    "shellsession": "console",
    "terminal": "console",
}


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; ``line`` is that of its first line of code, counted from 1."""

    language: str
    file: str | None
    code: str
    line: int
    excuse: str | None

    @property
    def executed(self) -> bool:
        return self.language in EXECUTED and self.file is None and self.excuse is None


@dataclass(frozen=True, slots=True)
class Command:
    """One ``$ `` line of a console block, with the output that must follow it."""

    text: str
    expected: tuple[str, ...]
    line: int


class BlockFailed(Exception):
    """A block did not do what the page says."""


def parse(text: str) -> list[Block]:
    """The fenced blocks of a page, in order, without the indentation of their fences."""
    blocks: list[Block] = []
    lines = text.splitlines()
    before = ""
    position = 0
    while position < len(lines):
        opening = FENCE.match(lines[position])
        if opening is None:
            before = lines[position].strip() or before
            position += 1
            continue
        closing = re.compile(rf"\s*{opening['fence'][0]}{{{len(opening['fence'])},}}\s*")
        start = position + 1
        end = next((at for at in range(start, len(lines)) if closing.fullmatch(lines[at])), len(lines))
        width = len(opening["indent"])
        code = [line[min(width, len(line) - len(line.lstrip())) :] for line in lines[start:end]]
        info = opening["info"].strip()
        language = re.split(r"[\s{]", info, maxsplit=1)[0].lower()
        title = TITLE.search(info)
        is_file = title and language not in {"console", "bash"} and FILE_NAME.fullmatch(title["title"])
        excuse = EXCUSE.match(before)
        blocks.append(
            Block(
                language=language,
                file=title["title"] if title and is_file else None,
                code="\n".join(code) + "\n",
                line=start + 1,
                excuse=excuse["reason"] if excuse else None,
            )
        )
        before = ""
        position = end + 1
    return blocks


def mistakes(blocks: list[Block]) -> list[str]:
    """What is wrong with the blocks before any of them runs: ``line: what``."""
    found: list[str] = []
    for position, block in enumerate(blocks):
        problem = None
        if block.language in MISNAMED and block.excuse is None:
            problem = f"call it ```{MISNAMED[block.language]}, not ```{block.language}"
        elif block.language == "console" and not block.code.startswith("$ "):
            problem = "a console block starts with `$ `"
        elif block.excuse is not None and block.language not in {"console", "bash"}:
            problem = "only shell set-up may be left out with `not executed`"
        elif block.excuse == "":
            problem = "`not executed` needs a reason"
        elif block.excuse is not None:
            running = next((line for line in shell_lines(block) if not SET_UP.match(line)), None)
            problem = running and f"`{running}` is not set-up, so it has to run"
        elif block.file is not None and not any(later.executed for later in blocks[position + 1 :]):
            problem = f"nothing on the page uses {block.file}"
        if problem:
            found.append(f"{block.line}: {problem}")
    return found


def shell_lines(block: Block) -> list[str]:
    """The commands of a shell block, one by one, also those joined on one line."""
    code = "\n".join(command.text for command in commands(block)) if block.language == "console" else block.code
    lines = [line.strip() for line in re.split(r"\n|;|&&?|\|\|?", code.replace("\\\n", ""))]
    return [line for line in lines if line and not line.startswith("#")]


def commands(block: Block) -> list[Command]:
    """The ``$ `` lines of a console block; a line that ends in a backslash goes on in the next."""
    found: list[Command] = []
    continued = False
    for line, text in enumerate(block.code.splitlines(), start=block.line):
        if continued:
            last = found[-1]
            found[-1] = Command(f"{last.text}\n{text.removeprefix('> ')}", (), last.line)
        elif text.startswith("$ "):
            found.append(Command(text[2:], (), line))
        else:
            last = found[-1]
            found[-1] = Command(last.text, (*last.expected, text), last.line)
        continued = not found[-1].expected and found[-1].text.endswith("\\")
    return found


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Whether output is as expected; ``...`` is a wildcard and white space at the end of a line does not count."""
    pattern = ""
    for line in "\n".join(expected).rstrip().splitlines():
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.rstrip().split("...")) + r"\n"
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in lines)) is not None


class Shell:
    """Commands of one page: the folder, exported variables and the last status carry over."""

    # The state is saved on exit, so that a command which itself says `exit` keeps it too.
    WRAPPER = """
trap 'pwd >"$SHELL_STATE/folder"; export -p >"$SHELL_STATE/variables"' EXIT
if [ -e "$SHELL_STATE/variables" ]; then . "$SHELL_STATE/variables"; fi
(exit "$1")
eval "$2"
"""

    def __init__(self, state: Path, seconds: float = 120) -> None:
        self.state = state
        self.seconds = seconds
        self.status = 0

    def run(self, command: str) -> str:
        """Run in the working folder and return the output; ``status`` and the working folder follow the command."""
        printed = self.state / "output"
        with printed.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "--posix", "-c", self.WRAPPER, "bash", str(self.status), command],
                env={**os.environ, "SHELL_STATE": str(self.state)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self.status = process.wait(self.seconds)
            except subprocess.TimeoutExpired as error:
                raise BlockFailed(f"$ {command}\nstill running after {self.seconds} s") from error
            finally:
                # What the command left running in the background ends with it.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        os.chdir((self.state / "folder").read_text().rstrip("\n"))
        return printed.read_text(encoding="utf-8", errors="replace")


def run_console(block: Block, shell: Shell) -> None:
    found = commands(block)
    for position, command in enumerate(found):
        output = shell.run(command.text)
        shown = f"line {command.line}: $ {command.text}\n"
        if not matches(command.expected, output):
            expected = "\n".join(command.expected)
            raise BlockFailed(f"{shown}--- the page says\n{expected}\n--- it printed\n{output}")
        asked = position + 1 < len(found) and found[position + 1].text == "echo $?"
        if shell.status != 0 and not asked:
            raise BlockFailed(f"{shown}ended with status {shell.status}; the page does not `echo $?` next\n{output}")


def run_bash(block: Block, shell: Shell) -> None:
    output = shell.run(f"set -e\n{block.code}")
    if shell.status != 0:
        raise BlockFailed(f"line {block.line}: the script ended with status {shell.status}\n{output}")


def run_python(block: Block, module: ModuleType) -> None:
    """Run in the page's namespace, from a file whose line numbers are those of the page."""
    if block.code.lstrip().startswith(">>>"):
        parser = doctest.DocTestParser()
        examples = parser.get_doctest(block.code, {}, module.__name__, None, block.line - 1)
        examples.globs = module.__dict__
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
        report: list[str] = []
        if runner.run(examples, out=report.append, clear_globs=False).failed:
            raise BlockFailed(f"line {block.line}:\n{''.join(report)}")
        return
    source = Path(str(module.__file__))
    earlier = source.read_text(encoding="utf-8") if source.exists() else ""
    missing_lines = block.line - 1 - earlier.count("\n")
    source.write_text(earlier + "\n" * missing_lines + block.code, encoding="utf-8")
    padded = "\n" * (block.line - 1) + block.code
    try:
        exec(compile(padded, str(source), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        raise BlockFailed(f"line {block.line}:\n{traceback.format_exc()}") from error


def run(page: Path, folder: Path) -> None:
    """Run all blocks of the page in this process, with ``folder/work`` as the reader's folder."""
    work, state = folder / "work", folder / "state"
    for place in (work, state):
        place.mkdir(parents=True)
    os.chdir(work)
    sys.path[0] = str(work)
    name = re.sub(r"\W", "_", page.stem) + "_page"
    module = ModuleType(name)
    module.__file__ = str(work / f"{name}.py")
    sys.modules[name] = module
    shell = Shell(state)
    for block in parse(page.read_text(encoding="utf-8")):
        if block.file is not None:
            file = Path(block.file)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code, encoding="utf-8")
        elif not block.executed:
            continue
        elif block.language == "python":
            run_python(block, module)
        elif block.language == "console":
            run_console(block, shell)
        else:
            run_bash(block, shell)


def report(page: Path, folder: Path) -> str:
    """Check a page in a process and an environment of its own: what is wrong with it, or the empty string."""
    blocks = parse(page.read_text(encoding="utf-8"))
    if wrong := mistakes(blocks):
        return "\n".join(f"{page.name}:{mistake}" for mistake in wrong)
    if not any(block.executed for block in blocks):
        return ""
    home = folder / "home"
    home.mkdir(parents=True)
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(home),
        "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "COLUMNS": "120",
    }
    done = subprocess.run(
        [sys.executable, str(Path(__file__).resolve()), str(page.resolve()), str(folder)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else f"{page.name}: {done.stderr}{done.stdout}"


if __name__ == "__main__":
    try:
        run(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
    except BlockFailed as failure:
        sys.exit(str(failure))
