"""Projects that cannot be loaded: configuration, modules that fail, and mistakes in declarations, all found at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.conftest import Shop

MISTAKES = {
    "total: nobody provides the parameter 'ordrs'": (
        "@asset\ndef total(ordrs: int) -> int: return 1",
        "did you mean orders?",
    ),
    "a: these assets need each other: a -> b -> a": (
        "@asset\ndef a(b: int) -> int: return 1\n\n@asset\ndef b(a: int) -> int: return 1",
        "remove one of these parameters or deps",
    ),
    "orders: declared twice, first at shop.py:": (
        "@asset(name='orders')\ndef again() -> int: return 1",
        "rename one of the two functions, or give one another name=",
    ),
    "sides: parameter 'daily': no mapping follows": (
        "@asset(partitions=StaticPartitions(['x', 'y']))\ndef sides(daily: dict[str, int]) -> int: return 1",
        "state one: Input('daily', mapping=AllPartitions()), in inputs= or deps=",
    ),
    "reader: nobody provides the parameter 'who'": (
        "@asset\ndef reader(orders: int, *, who) -> int: return 1",
        "declare the asset, or give the parameter a default",
    ),
    "backwards: partitions: end 2024-01-01 is not after start 2024-02-03": (
        "@asset(partitions=DailyPartitions('2024-02-03', end='2024-01-01'))\ndef backwards() -> int: return 1",
        None,
    ),
    "nowhere: partitions: timezone 'Mars/Olympus' is unknown": (
        "@asset(partitions=DailyPartitions('2024-01-01', timezone='Mars/Olympus'))\ndef nowhere() -> int: return 1",
        None,
    ),
    "repeated: partitions: the key 'a' is listed twice": (
        "@asset(partitions=StaticPartitions(['a', 'a']))\ndef repeated() -> int: return 1",
        None,
    ),
    "stream: it is a generator function": (
        "@asset\ndef stream() -> int: yield 1",
        "write a plain function that returns it",
    ),
    "stored: there is no IO manager 'parket'": (
        "@asset(io_manager='parket')\ndef stored() -> int: return 1",
        "did you mean parquet?",
    ),
}
SOUND = """
@asset
def orders() -> int: return 1

@asset(partitions=DailyPartitions("2024-01-30", end="2024-02-03"))
def daily() -> int: return 1
"""


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.parametrize("command", ["validate", "plan"])
def test_a_mistake_is_told_with_place_and_next_step(shop: Shop, message: str, command: str) -> None:
    declaration, hint = MISTAKES[message]
    shop.write(f"{SOUND}\n{declaration}\n")
    place = shop.place(declaration.splitlines()[0]) if declaration.startswith("@asset(") else None
    said = shop.run(command)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith(f"error: {message}")
    assert "\n  at shop.py:" in said.err
    assert hint is None or f"\n  hint: {hint}\n" in said.err
    assert said.err.endswith("error: 1 definition error; nothing was started\n")
    error = shop.run(f"{command} --json").error
    assert error["type"] == "DefinitionErrors"
    (only,) = error["errors"]
    assert only["message"].startswith(message)
    assert only["hint"] == hint
    assert only["location"].startswith("shop.py:")
    assert place is None or only["location"] == place


def test_all_mistakes_are_told_together_in_the_order_of_their_places(shop: Shop) -> None:
    chosen = [message for message in MISTAKES if not message.startswith("stored")]
    shop.write(SOUND + "".join(f"\n{MISTAKES[message][0]}\n" for message in chosen))
    error = shop.run("validate --json").error
    places = [int(each["location"].partition(":")[2]) for each in error["errors"]]
    assert places == sorted(places)
    assert len(places) == len(chosen)
    assert all(any(each["message"].startswith(text) for each in error["errors"]) for text in chosen)


REFUSES_NULLS = "SyntaxError" if sys.version_info >= (3, 11, 4) else "ValueError"
BROKEN = {
    "def total(:\n": ("invalid syntax: def total(:", 1),
    "x = 1\n    y = 2\n": ("unexpected indent: y = 2", 2),
    "import nopackage\n": ("importing shop raised ModuleNotFoundError: No module named 'nopackage'", 1),
    "from assetflow import aset\n": ("importing shop raised ImportError: cannot import name 'aset'", 1),
    "x = 1\n1 / 0\n": ("importing shop raised ZeroDivisionError: division by zero", 2),
    "import sys\nsys.exit(0)\n": ("importing shop called sys.exit(0)", 2),
    "raise BaseException('out')\n": ("importing shop raised BaseException: out", 1),
    "def f(): f()\n\nf()\n": ("importing shop raised RecursionError: maximum recursion depth exceeded", 1),
    "from assetflow import *\nDailyPartitions()\n": ("importing shop raised TypeError: DailyPartitions.__init__()", 2),
    # A ValueError before Python 3.11.4.
    "x = '\0'\n": (f"importing shop raised {REFUSES_NULLS}: source code string cannot contain null bytes", None),
}


@pytest.mark.parametrize("text", BROKEN, ids=[message for message, _ in BROKEN.values()])
def test_a_module_that_cannot_be_imported_is_told_with_the_users_frames(shop: Shop, text: str) -> None:
    message, line = BROKEN[text]
    shop.write(text, header="")
    for command in ("validate", "plan", "materialize", "status", "query 'select 1'"):
        said = shop.run(f"{command} --json")
        assert said.code == 2
        (error,) = said.error["errors"]
        assert error["message"].startswith(message)
        assert error["location"] == (None if line is None else f"shop.py:{line}")
        frames = [each for each in error.get("traceback", "").splitlines() if each.lstrip().startswith("File ")]
        assert all("shop.py" in frame for frame in frames)
    assert not (shop.folder / ".assetflow").exists()


def test_a_broken_helper_is_told_where_it_is_broken(shop: Shop) -> None:
    shop.write("from tools.prices import price\n")
    shop.write("def price(:\n", "tools/prices.py", header="")
    said = shop.run("validate")
    assert said.code == 2
    assert said.err.startswith("error: invalid syntax: def price(:\n  at tools/prices.py:1\n")


def test_a_missing_dependency_comes_with_what_to_do(shop: Shop) -> None:
    shop.write("import nopackage.parts\n")
    assert "\n  hint: install the package that provides nopackage, or mend the import\n" in shop.run("validate").err
    shop.write("x = 1\n", "prices.py")
    shop.write("import price\n")
    assert "\n  hint: did you mean prices?\n" in shop.run("validate").err


def test_ctrl_c_while_loading_is_an_interrupt(shop: Shop) -> None:
    shop.write("raise KeyboardInterrupt\n")
    said = shop.run("plan --json")
    assert (said.code, said.error["type"]) == (130, "Interrupted")


CONFIGURATIONS = {
    "[tool.assetflow]\n": ("[tool.assetflow] needs definitions", 'add definitions = "package.module:defs"', 1),
    '[tool.assetflow]\n\ndefinition = "shop"\n': (
        "[tool.assetflow] has no setting definition",
        "did you mean definitions?",
        3,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\nstorag = "x"\n': (
        "[tool.assetflow] has no setting storag",
        "did you mean storage?",
        3,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\ncolour = "red"\n': (
        "[tool.assetflow] has no setting colour",
        (
            "the settings are definitions, store, storage, environment, executor, workers, isolation, lease_seconds, "
            "pools, retention"
        ),
        3,
    ),
    "[tool.assetflow]\ndefinitions = 3\n": (
        "[tool.assetflow] definitions = 3 cannot be used",
        'write "package.module" or "package.module:name"',
        2,
    ),
    '[tool.assetflow]\ndefinitions = "shop/definitions.py"\n': (
        "[tool.assetflow] definitions = 'shop/definitions.py' cannot be used",
        'write "package.module" or "package.module:name"',
        2,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\nstore = ["a"]\n': (
        "[tool.assetflow] store = ['a'] cannot be used",
        'write a URL such as "sqlite:///.assetflow/store.db" or "postgresql://user@host/database"',
        3,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\nenvironment = "a b"\n': (
        "[tool.assetflow] environment = 'a b' cannot be used",
        "write a name of letters, digits, '_' and '-', at most 63 of them",
        3,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\nstore = "mysql://me:secret@host/db"\n': (
        "the metadata store cannot be a mysql database: it is an SQLite file or a Postgres database",
        'write store = "sqlite:///.assetflow/store.db" or store = "postgresql://user@host/database"',
        None,
    ),
    '[tool.assetflow]\ndefinitions = "shop"\nstorage = "s3://bucket/data"\n': (
        "storage = 's3://bucket/data': only local folders are supported",
        "give a path, or a URL such as file:///srv/data",
        None,
    ),
    '[tool.assetflow]\ndefinitions = "shop:nothing"\n': (
        "definitions = 'shop:nothing': shop has no nothing",
        "define nothing = Definitions(...) there, or name the module alone for all assets in it",
        1,
    ),
    '[tool.assetflow]\ndefinitions = "shop:order"\n': (
        "definitions = 'shop:order': shop has no order",
        "did you mean orders?",
        1,
    ),
    '[tool.assetflow]\ndefinitions = "shops"\n': (
        "definitions = 'shops': there is no module shops in {folder}",
        "name a module or package that lies in the project folder or its src/",
        None,
    ),
}


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_bad_configuration_is_told_by_setting(shop: Shop, text: str) -> None:
    message, hint, line = CONFIGURATIONS[text]
    shop.write(SOUND)
    shop.write(text, "pyproject.toml")
    said = shop.run("plan --json")
    assert said.code == 2
    assert "secret" not in said.out + said.err
    assert said.error["message"] == message.format(folder=shop.folder)
    assert said.error["hint"] == hint
    assert line is None or said.error["location"].endswith(f":{line}")
    assert not (shop.folder / ".assetflow").exists()


def test_a_file_that_is_no_toml_is_told_with_its_line(shop: Shop) -> None:
    shop.write("[tool.assetflow]\ndefinitions = shop\n", "pyproject.toml")
    error = shop.run("plan --json").error
    assert error["message"].startswith(f"{shop.folder}/pyproject.toml is not valid TOML: ")
    assert error["location"] == f"{shop.folder}/pyproject.toml:2"
    assert error["hint"] == "mend that line"
    (shop.folder / "pyproject.toml").write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in shop.run("plan --json").error["message"]


def test_without_a_table_there_is_no_project(shop: Shop) -> None:
    shop.write("[project]\nname = 'x'\n", "pyproject.toml")
    assert shop.run("plan --json").error["message"].startswith(f"no project at or above {shop.folder}: ")
    assert shop.run("plan --project . --json").error["message"].endswith("has no [tool.assetflow] table")
    shop.write("[tool]\nassetflow = 3\n", "pyproject.toml")
    assert shop.run("plan --json").error["message"].endswith("assetflow = 3 under [tool] is no table")
    assert shop.run("plan --project nowhere --json").error["message"] == f"there is no folder {shop.folder}/nowhere"


def test_a_bad_variable_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(SOUND)
    monkeypatch.setenv("ASSETFLOW_ENVIRONMENT", "a b")
    said = shop.run("plan --json")
    assert said.code == 2
    assert said.error["message"] == "ASSETFLOW_ENVIRONMENT=a b cannot be used"


def test_a_module_without_assets_is_no_up_to_date_project(shop: Shop) -> None:
    shop.write("")
    assert shop.run("plan").out == "Nothing to do: what is selected has no partitions yet.\n"
    assert "There are no assets yet" in shop.run("list").out
