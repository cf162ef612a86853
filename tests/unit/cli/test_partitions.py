"""``assetflow partitions``: what it prints, as text and as a document, and what it refuses."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from assetflow.cli.main import run

PROJECT = """
from assetflow import AssetContext, DynamicPartitions, asset

@asset(partitions=DynamicPartitions("customers"))
def orders(context: AssetContext) -> str:
    return context.partition_key

@asset(partitions=DynamicPartitions("customers"))
def invoices(orders: str) -> str:
    return orders

@asset
def inbox(context: AssetContext) -> int:
    context.add_partitions("files", ["a", "b"])
    return 1

@asset(partitions=DynamicPartitions("files"))
def parsed(context: AssetContext) -> str:
    return context.partition_key
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "trade"\n')
    (tmp_path / "trade.py").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Any:
    def told(*arguments: str, code: int = 0) -> str:
        capfd.readouterr()
        assert run(arguments) == code
        out, err = capfd.readouterr()
        return out + err

    return told


def test_keys_are_added_listed_and_removed(said: Any) -> None:
    assert said("partitions", "add", "customers", "zoe", "acme", "zoe") == (
        "added 2 keys: zoe, acme (customers has 2 keys now)\n"
    )
    assert said("partitions", "add", "customers", "acme") == "added 0 keys (customers has 2 keys now)\n"
    assert said("partitions", "list", "customers") == "zoe\nacme\n"
    assert said("partitions", "list", "files") == "There are no keys yet: assetflow partitions add files KEY\n"
    table = "partitions  keys  assets          \n"
    for command in (["partitions"], ["partitions", "list"]):
        lines = said(*command).splitlines()
        assert lines[0].split() == table.split()
        assert [line.split(maxsplit=2) for line in lines[2:]] == [
            ["customers", "2", "orders, invoices"],
            ["files", "0", "parsed"],
        ]
    assert said("partitions", "remove", "customers", "zoe") == "removed 1 key: zoe (customers has 1 key now)\n"
    assert said("partitions", "list", "customers") == "acme\n"


def test_documents(said: Any) -> None:
    def document(*arguments: str, code: int = 0) -> Any:
        return json.loads(said("partitions", *arguments, "--json", code=code).partition("\nerror:")[0])

    assert document("add", "customers", "a\nb", "a|b") == {
        "name": "customers",
        "added": ["a\nb", "a|b"],
        "count": 2,
    }
    assert document("list", "customers") == {"name": "customers", "count": 2, "keys": ["a\nb", "a|b"]}
    assert document("remove", "customers", "a|b") == {"name": "customers", "removed": ["a|b"], "count": 1}
    assert document()["partitions"][1] == {"name": "files", "count": 0, "assets": ["parsed"]}


def test_keys_come_from_a_file_or_the_standard_input(
    said: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys.txt").write_text("zoe\n\nacme\n  spaced\n")
    assert "added 4 keys" in said("partitions", "add", "customers", "first", "--file", "keys.txt")
    monkeypatch.setattr("sys.stdin", io.StringIO("acme\nbert\n"))
    assert "added 1 key: bert" in said("partitions", "add", "customers", "--file", "-")
    assert said("partitions", "list", "customers") == "first\nzoe\nacme\n  spaced\nbert\n"
    assert "removed 3 keys" in said("partitions", "remove", "customers", "--file", "keys.txt")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["add", "custmers", "a"], "there are no dynamic partitions 'custmers'", "did you mean customers?"),
        (["list", "orders"], "there are no dynamic partitions 'orders'", "declared are 'customers', 'files'"),
        (["add", "customers"], "no key is given", "write KEY..., or --file FILE with one key in each line"),
        (["add", "customers", ""], "customers: a key is empty: give it a name", None),
        (["add", "customers", "--file", "no.txt"], "no.txt: cannot be read (No such file or directory)", None),
        (["add", "customers", "--file", "latin.txt"], "latin.txt: is no text in UTF-8", None),
        (["remove", "customers", "x"], "customers: there is no key 'x'", "partitions list 'customers' shows the keys"),
        (["add"], "missing: NAME", "assetflow partitions add --help"),
        (["drop", "customers"], "there is no command 'partitions drop'", "did you mean partitions"),
    ],
)
def test_what_cannot_be_done_is_refused(
    said: Any, tmp_path: Path, arguments: list[str], message: str, hint: str | None
) -> None:
    (tmp_path / "latin.txt").write_bytes("caf\xe9".encode("latin-1"))
    told = said("partitions", *arguments, code=2)
    assert f"error: {message}" in told
    assert hint is None or hint in told
    assert hint is not None or "hint" not in told


def test_what_is_published_is_removed_by_force_only(said: Any) -> None:
    said("partitions", "add", "customers", "zoe")
    said("materialize", "--select", "orders")
    assert said("partitions", "remove", "customers", "zoe", code=2) == (
        "error: customers: not removed, for orders@zoe is published, and read by invoices\n"
        "  hint: with --force (force=True) they go all the same: versions are kept, and come back with their key\n"
    )
    assert said("partitions", "remove", "customers", "zoe", "--force").startswith("removed 1 key: zoe")
    assert "there is no partition 'zoe'" in said("why", "orders@zoe", code=2)


def test_a_run_that_adds_keys_says_what_to_do_next(said: Any) -> None:
    told = said("materialize", "--select", "inbox or parsed")
    hint = "2 keys came to the dynamic partitions 'files': materialize again to build them"
    assert f"  hint: {hint}\n" in told
    assert hint not in said("materialize", "--select", "inbox or parsed")
    assert said("partitions", "list", "files") == "a\nb\n"


def test_without_dynamic_partitions_it_says_how_to_declare_some(said: Any, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.assetflow]\ndefinitions = "plain"\n')
    (tmp_path / "plain.py").write_text("from assetflow import asset\n\n@asset\ndef one() -> int:\n    return 1\n")
    assert said("partitions") == (
        'No asset has dynamic partitions. Declare some with partitions=DynamicPartitions("customers").\n'
    )
