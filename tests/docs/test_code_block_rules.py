"""The rules by which the code blocks of a page are run; each one must be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_blocks import BlockFailed, Shell, commands, matches, mistakes, parse, report


def report_on(text: str, folder: Path) -> str:
    page = folder / "page.md"
    page.write_text(text, encoding="utf-8")
    return report(page, folder / "run")


PASSING = {
    "python blocks share their names": """
```python
answer = 41
```
Text between.
```python
assert answer + 1 == 42
```
""",
    "python with results": """
```python
def double(number):
    return 2 * number
```
```python
>>> double(21)
42
>>> list(range(100))
[0, 1, ..., 99]
```
""",
    "the source of a function can be read": """
```python
import inspect

def first():
    return 1
```
```python
def second():
    return 2

assert inspect.getsource(first) == "def first():\\n    return 1\\n"
assert inspect.getsource(second).endswith("return 2\\n")
```
""",
    "files are written where the reader is": """
```console
$ mkdir shop
$ cd shop
```
```python title="assets/orders.py"
PRICE = 3
```
```console
$ cat assets/orders.py
PRICE = 3
```
```python
from assets.orders import PRICE
assert PRICE == 3
```
""".replace("from assets", "import sys\nsys.path.insert(0, '.')\nfrom assets"),
    "console output with wildcards": """
```console
$ printf 'one\\ntwo\\nthree\\n'
one
...
$ echo built 12 assets in 0.3 s
built 12 assets in ... s
$ echo on the other stream >&2
on the other stream
```
""",
    "a failing command whose status is shown": """
```console
$ (exit 3)
$ echo $?
3
```
""",
    "exported variables carry over": """
```bash
export PLACE="a place"
```
```console
$ echo $PLACE
a place
```
""",
    "a command over two lines": """
```console
$ echo one \\
> two
one two
```
""",
    "set-up that is not executed": """
<!-- not executed: installs from the network -->
```console
$ pip install assetflow
Successfully installed
$ make demo
```
""",
    "blocks inside other blocks are text": """
````markdown
```python
raise SystemExit
```
````
""",
    "blocks in a list": """
1. First

    ```python
    if True:
        found = 1
    ```

    ```console
    $ echo yes
    yes
    ```
""",
    "languages that nothing runs": """
```toml
[tool.assetflow]
```
```text
anything
```
""",
}


@pytest.mark.parametrize("text", PASSING.values(), ids=PASSING.keys())
def test_passes(text: str, tmp_path: Path) -> None:
    assert report_on(text, tmp_path) == ""


FAILING = {
    "python that raises": (
        "\n\n```python\nx = 1\nx / 0\n```",
        ["line 4", 'page_page.py", line 5', "ZeroDivisionError"],
    ),
    "python that ends the page early": ("```python\nraise SystemExit\n```\n```python\nx = 1\n```", ["SystemExit"]),
    "a wrong result": ("```python\n>>> 1 + 1\n3\n```", ["Expected:", "3", "Got:", "2"]),
    "wrong output": ("```console\n$ echo a\nb\n```", ["line 2: $ echo a", "the page says\nb", "it printed\na"]),
    "output that the page leaves out": ("```console\n$ echo a\n```", ["it printed\na"]),
    "expected output that does not come": ("```console\n$ true\na\n```", ["the page says\na"]),
    "a failing command": ("```console\n$ false\n$ true\n```", ["line 2: $ false", "status 1"]),
    "an unknown command": ("```console\n$ assetfloww\n...\n```", ["status 127"]),
    "a failing script": ("```bash\nfalse\ntrue\n```", ["status 1"]),
    "a script with an unset-up make": ("```bash\nmake nothing\n```", ["status 2"]),
    "python that may not be left out": (
        "<!-- not executed: slow -->\n```python\nx = 1\n```",
        ["page.md:3: only shell set-up may be left out"],
    ),
    "a command that is not set-up": (
        "<!-- not executed: slow -->\n```bash\npip install assetflow\nassetflow plan\n```",
        ["`assetflow plan` is not set-up"],
    ),
    "set-up with more on the same line": (
        "<!-- not executed: installs -->\n```console\n$ pip install assetflow && assetflow plan\n```",
        ["`assetflow plan` is not set-up"],
    ),
    "no reason": ("<!-- not executed: -->\n```bash\nmake demo\n```", ["needs a reason"]),
    "a block without a language": ("```\nx = 1\n```", ["call it ```text, not ```"]),
    "a language that hides code": ("```py\nx = 1\n```", ["call it ```python, not ```py"]),
    "a file that nothing uses": ('```python title="a.py"\nx = 1\n```', ["nothing on the page uses a.py"]),
    "a console block without a command": ("```console\noutput\n```", ["starts with `$ `"]),
}


@pytest.mark.parametrize(("text", "fragments"), FAILING.values(), ids=FAILING.keys())
def test_fails(text: str, fragments: list[str], tmp_path: Path) -> None:
    found = report_on(text, tmp_path)
    assert [fragment for fragment in fragments if fragment not in found] == []


def test_an_excuse_counts_for_the_next_block_only() -> None:
    page = "<!-- not executed: installs -->\n```bash\nmake demo\n```\n```bash\nassetflow plan\n```\n"
    assert [block.executed for block in parse(page)] == [False, True]
    text_between = "<!-- not executed: installs -->\nSome text.\n```bash\nmake demo\n```\n"
    assert [block.executed for block in parse(text_between)] == [True]


def test_a_file_may_not_leave_the_folder() -> None:
    assert [block.file for block in parse('```text title="../a.py"\n```\n```text title="/a.py"\n```\n')] == [None, None]


def test_a_command_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(BlockFailed, match=r"still running after 0\.2 s"):
        Shell(tmp_path, seconds=0.2).run("sleep 100 & sleep 100")


def test_lines_are_those_of_the_page() -> None:
    (block,) = parse("# Title\n\n  ```console\n  $ a\n  out\n\n  $ b\n  ```\n")
    assert [(command.text, command.line) for command in commands(block)] == [("a", 4), ("b", 7)]
    assert mistakes([block]) == []


@pytest.mark.parametrize(
    ("expected", "output", "same"),
    [
        ((), "", True),
        ((), "\n", True),
        (("a",), "a   \n\n", True),
        (("a",), " a\n", False),
        (("...",), "", True),
        (("a", "...", "b"), "a\nb\n", True),
        (("a", "...", "b"), "a\n1\n2\nb\n", True),
        (("a", "...", "b"), "a\n1\n2\n", False),
        (("a...b",), "a\nb\n", False),
        (("1+1 = (2)",), "1+1 = (2)\n", True),
        (("2013-01-01...2013-01-31",), "2013-01-01...2013-01-31\n", True),
    ],
)
def test_output_matches(expected: tuple[str, ...], output: str, same: bool) -> None:
    assert matches(expected, output) is same
