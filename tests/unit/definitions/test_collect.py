from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

from assetflow.definitions.collect import Definitions, collect
from assetflow.definitions.decorators import asset, asset_check, observable_source
from assetflow.errors import DefinitionError


@asset
def orders() -> int:
    return 1


@observable_source
def files() -> str:
    return "1"


@asset_check(asset=orders)
def sound(orders: int) -> bool:
    return orders > 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``gathered`` to import from; forgotten afterwards."""
    monkeypatch.syspath_prepend(tmp_path)
    root = tmp_path / "gathered"
    root.mkdir()
    (root / "__init__.py").write_text("")
    before = set(sys.modules)
    yield root
    for name in set(sys.modules) - before:
        del sys.modules[name]


def names(definitions: Definitions) -> list[str]:
    return [each.name for each in (*definitions.computations, *definitions.checks)]


def test_listed_declarations_are_gathered_once() -> None:
    managers = {"own": object()}
    definitions = Definitions(assets=[orders, files, orders], checks=[sound], io_managers=managers)
    assert names(definitions) == ["orders", "files", "sound"]
    assert (definitions.io_managers, definitions.problems) == (managers, ())
    assert repr(definitions) == "Definitions(2 computations, 1 checks)"


def test_a_module_gives_all_that_is_decorated_in_it() -> None:
    module = ModuleType("shop")
    vars(module).update(orders=orders, alias=orders, sound=sound, plain=len, number=3)
    assert names(Definitions.from_modules(module)) == names(Definitions(assets=[module])) == ["orders", "sound"]
    assert names(collect(module)) == ["orders", "sound"]


def test_a_package_gives_what_is_in_all_its_modules(package: Path) -> None:
    (package / "raw.py").write_text("from assetflow import asset\n@asset\ndef raw(): ...\n")
    (package / "inner").mkdir()
    (package / "inner" / "__init__.py").write_text("from gathered.raw import raw\n")
    (package / "inner" / "deep.py").write_text("from assetflow import asset\n@asset\ndef deep(raw): ...\n")
    (package / "__main__.py").write_text("raise SystemExit('ran')\n")
    assert sorted(names(Definitions.from_modules("gathered"))) == ["deep", "raw"]


def test_a_package_may_gather_itself(package: Path) -> None:
    (package / "raw.py").write_text("from assetflow import asset\n@asset\ndef raw(): ...\n")
    (package / "all.py").write_text(
        "import gathered\nfrom assetflow import Definitions\ndefs = Definitions.from_modules(gathered)\n"
    )
    definitions = Definitions.from_modules("gathered.all")
    assert names(definitions) == ["raw"]
    assert definitions is sys.modules["gathered.all"].defs
    assert Definitions.from_modules("gathered") is definitions


def test_a_reload_after_an_edit_does_not_declare_twice(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = package / "raw.py"
    path.write_text("from assetflow import asset\n@asset\ndef raw(): ...\n")
    module = importlib.import_module("gathered.raw")
    path.write_text("from assetflow import asset\n\n\n\n@asset\ndef raw(): ...\n")
    definitions = Definitions.from_modules(importlib.reload(module))
    assert (names(definitions), definitions.problems) == (["raw"], ())
    assert definitions.computations[0].location is not None
    assert definitions.computations[0].location.line == 5


def test_functions_made_in_a_loop_do_not_replace_each_other(package: Path) -> None:
    (package / "raw.py").write_text(
        "from assetflow import asset, Definitions\nmade = []\nfor name in 'ab':\n"
        "    @asset(name=name)\n    def each(): ...\n    made.append(each)\ndefs = Definitions(assets=made)\n"
    )
    definitions = Definitions.from_modules("gathered.raw")
    assert (names(definitions), definitions.problems) == (["a", "b"], ())


def test_the_one_definitions_of_a_module_is_what_it_declares() -> None:
    module = ModuleType("shop")
    one = Definitions(assets=[orders])
    vars(module).update(defs=one, again=one, files=files)
    assert Definitions.from_modules(module) is collect(module) is collect(one) is one


def test_a_list_or_a_single_function_is_a_target_too() -> None:
    assert names(collect([orders, files])) == ["orders", "files"]
    assert names(collect(orders)) == ["orders"]


def test_any_other_target_is_refused() -> None:
    with pytest.raises(DefinitionError) as raised:
        collect(3)
    assert raised.value.message == "3 holds no definitions"
    assert raised.value.hint == "name a Definitions, a module or a package: all assets in it"


def test_what_is_not_decorated_is_a_problem_with_the_place_of_the_function() -> None:
    def plain() -> None: ...

    [problem] = Definitions(assets=[orders, plain]).problems
    assert problem.message == "assets[1] is no asset, source or check: plain"
    assert problem.location is not None
    assert problem.location.line == plain.__code__.co_firstlineno
    [problem] = Definitions(checks=[3]).problems  # type: ignore[list-item]
    assert problem.message == "checks[0] is no asset, source or check: 3"
    assert problem.location is not None
    assert problem.location.path.endswith("test_collect.py")
