from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest

from assetflow.errors import DefinitionError
from assetflow.fingerprint.code import ComponentChange, SourceCache, diff, fingerprint, has_source, only_schema
from assetflow.fingerprint.sources import project_predicate

if TYPE_CHECKING:
    from conftest import Shop

BASE = """
    import math
    from enum import Enum

    RATE = 3
    WIDTH, HEIGHT = 2, 4
    COLUMNS = ["a"]
    COLUMNS.append("b")

    def unrelated(x):
        return x + 1

    def clean(x):
        return strip(x)

    def strip(x):
        return x - 1

    class Row:
        size: int = 3
        def grow(self):
            return self.size + strip(1)

    def retry(times):
        def wrap(function):
            return function
        return wrap

    @retry(2)
    def total(orders, factor=1):
        '''The total.'''
        count: int = clean(orders)
        text = f"{count} rows"
        table = [RATE * row for row in range(WIDTH)]
        return count * factor, text, table, COLUMNS, Row().grow()
"""


def edited(old: str, new: str) -> str:
    assert old in BASE
    return BASE.replace(old, new)


SAME = {
    "comment": ("count: int", "# how many\n        count: int"),
    "docstring": ("The total.", "Everything summed up."),
    "docstring removed": ("'''The total.'''", "pass"),
    "reformatted": ("return count * factor, text,", "return (\n            (count*factor)\n        ),  text,"),
    "local annotation": ("count: int =", "count: float ="),
    "local annotation removed": ("count: int =", "count ="),
    "bare local annotation": ("count: int =", "other: str\n        count: int ="),
    "unrelated function": ("x + 1", "x + 2"),
    "unrelated name": ("import math", "import math\n    OTHER = 1"),
    "module annotation": ("RATE = 3", "RATE: int = 3"),
    "quotes": ('f"{count} rows"', "f'{count} ' 'rows'"),
    "lines moved": ("import math", "import math\n\n\n\n"),
    "number spelt otherwise": ("RATE = 3", "RATE = 0x3"),
}

OTHER = {
    "renamed variable": ("count", "quantity", "shop.total"),
    "helper": ("return strip(x)", "return strip(x) + 1", "shop.clean"),
    "helper two calls away": ("x - 1", "x - 2", "shop.strip"),
    "constant": ("RATE = 3", "RATE = 4", "shop.RATE"),
    "tuple constant": ("2, 4", "2, 5", "shop.WIDTH"),
    "altered constant": ('append("b")', 'append("c")', "shop.COLUMNS"),
    "default": ("factor=1", "factor=2", "shop.total"),
    "parameter annotation": ("orders,", "orders: int,", "shop.total"),
    "decorator argument": ("@retry(2)", "@retry(3)", "shop.total"),
    "decorator body": ("return wrap", "return wrap if times else None", "shop.retry"),
    "method": ("self.size + strip(1)", "self.size * strip(1)", "shop.Row"),
    "class annotation": ("size: int = 3", "size: float = 3", "shop.Row"),
    "f-string text": ('rows"', 'lines"', "shop.total"),
    "f-string format": ("{count} rows", "{count:>3} rows", "shop.total"),
    "int to float": ("RATE = 3", "RATE = 3.0", "shop.RATE"),
}


@pytest.mark.parametrize("edit", SAME)
def test_an_edit_without_meaning_changes_nothing(shop: Shop, edit: str) -> None:
    before = shop.text(BASE)
    assert shop.text(edited(*SAME[edit])).version == before.version


@pytest.mark.parametrize("edit", OTHER)
def test_an_edit_with_meaning_names_the_component(shop: Shop, edit: str) -> None:
    old, new, component = OTHER[edit]
    before, after = shop.text(BASE), shop.text(edited(old, new))
    assert after.version != before.version
    assert diff(before.components, after.components) == [ComponentChange(component, "changed")]


def test_components_sources_and_version_of_a_small_project(shop: Shop) -> None:
    found = shop.text(BASE)
    assert set(found.components) == {
        f"shop.{name}" for name in ("total", "clean", "strip", "RATE", "WIDTH", "COLUMNS", "Row", "retry")
    }
    assert re.fullmatch("c1:[0-9a-f]{32}", found.version)
    assert found.sources["shop.strip"] == "def strip(x):\n    return x - 1\n"
    assert found.sources["shop.total"].startswith("@retry(2)\ndef total")
    assert found.untracked == ()


HELPERS = {
    "from": ("from helpers import clean", "clean(x)", ["helpers.clean"]),
    "alias": ("from helpers import clean as c", "c(x)", ["helpers.clean"]),
    "module": ("import helpers", "helpers.clean(x)", ["helpers.clean"]),
    "module alias": ("import helpers as h", "h.clean(x).fast", ["helpers.clean"]),
    "star": ("from helpers import *", "clean(x)", ["helpers.clean"]),
    "module passed on": ("import helpers", "getattr(helpers, x)", ["helpers"]),
    "package re-export": ("from pack import clean", "clean(x)", ["pack.inner.clean"]),
    "package attribute": ("import pack", "pack.clean(x)", ["pack.inner.clean"]),
    "submodule": ("import pack.inner", "pack.inner.clean(x)", ["pack.inner.clean"]),
    "submodule from": ("from pack import inner", "inner.clean(x)", ["pack.inner.clean"]),
    "namespace package": ("import space.inner", "space.inner.clean(x)", ["space.inner.clean"]),
    "alias by assignment": (
        "import helpers\n    mine = helpers.clean",
        "mine(x)",
        ["helpers.clean", "shop.mine"],
    ),
    "import under a condition": (
        "try:\n        from fast import clean\n    except ImportError:\n        from helpers import clean",
        "clean(x)",
        ["helpers.clean"],
    ),
    "outside": ("import json\n    from os import path", "json.dumps(path.join(x))", []),
}


@pytest.mark.parametrize("form", HELPERS)
@pytest.mark.parametrize("local", [False, True])
def test_helpers_are_followed_however_they_are_imported(shop: Shop, form: str, local: bool) -> None:
    statement, use, components = HELPERS[form]
    if local and (form in ("star", "alias by assignment")):
        pytest.skip("not inside a function")
    text = f"""
    {statement}
    def total(x):
        return {use}
    """
    if local:
        inner = statement.replace("\n", "\n    ")
        text = f"""
    def total(x):
        {inner}
        return {use}
    """
    helper = "def clean(x):\n    return x\ndef unrelated(x):\n    return x\n"
    files = {
        "shop.py": text,
        "helpers.py": helper,
        "pack/__init__.py": "from .inner import clean\n",
        "pack/inner.py": helper,
        "space/inner.py": helper,
    }
    before = shop.fingerprint("shop:total", files)
    assert set(before.components) == {"shop.total", *components}
    assert before.untracked == ()
    where = next((name.rpartition(".clean")[0] or name for name in components if name != "shop.mine"), None)
    if where:
        changed = {where.replace(".", "/") + ".py": helper.replace("return x\ndef", "return 2\ndef")}
        assert shop.fingerprint("shop:total", changed).version != before.version


def test_relative_imports(shop: Shop) -> None:
    found = shop.fingerprint(
        "pack.sub.assets:total",
        {
            "pack/__init__.py": "",
            "pack/top.py": "def up(x): return x",
            "pack/sub/__init__.py": "from . import near",
            "pack/sub/near.py": "def by(x): return x",
            "pack/sub/assets.py": "from . import near\nfrom ..top import up\ndef total(x): return near.by(up(x))",
        },
    )
    assert set(found.components) == {"pack.sub.assets.total", "pack.sub.near.by", "pack.top.up"}


SCOPES = {
    "parameter": "def total(clean): return clean",
    "assignment": "def total(): clean = 1; return clean",
    "loop": "def total(x):\n  for clean in x: pass\n  return clean",
    "comprehension": "def total(x): return [clean for clean in x]",
    "nested comprehension": "def total(x): return {clean: other for part in x for clean, other in part if clean}",
    "walrus": "def total(x):\n  if any((clean := y) for y in x): return clean",
    "with": "def total(x):\n  with x as clean: return clean",
    "except": "def total(x):\n  try: pass\n  except ValueError as clean: return clean",
    "match capture": "def total(x):\n  match x:\n    case [clean, *_]: return clean",
    "match rest": "def total(x):\n  match x:\n    case {**clean}: return clean",
    "match as": "def total(x):\n  match x:\n    case int() as clean: return clean",
    "lambda": "def total(x): return lambda clean: clean",
    "inner function": "def total(x):\n  def clean(): pass\n  return clean()",
    "inner class": "def total(x):\n  class clean: pass\n  return clean()",
    "local of the function around": "def total(x):\n  clean = 1\n  def inner(): return clean\n  return inner",
    "nonlocal": "def total(x):\n  clean = 1\n  def inner():\n    nonlocal clean\n    clean = 2\n  return inner",
    "local import from outside": "def total(x):\n  from os import path as clean\n  return clean",
    "attribute": "def total(x): return x.clean",
    "keyword": "def total(x): return x(clean=1)",
    "star arguments": "def total(*clean, **more): return clean, more",
    "async": "async def total(x):\n  async with x as clean:\n    async for more in clean: yield clean, more",
}

REACHED = {
    "call": "def total(): return clean(1)",
    "first iterable": "def total(): return [clean for clean in clean]",
    "condition": "def total(x): return [y for y in x if clean(y)]",
    "default": "def total(x=clean): return x",
    "inner default": "def total():\n  def inner(clean=clean): return clean\n  return inner",
    "decorated inside": "def total():\n  @clean\n  def inner(): pass\n  return inner",
    "lambda body": "def total(): return lambda x: clean(x)",
    "class body": "def total():\n  class A:\n    clean = clean\n  return A",
    "method skips the class": "def total():\n  class A:\n    clean = 1\n    def f(self): return clean\n  return A",
    "global": "def total():\n  global clean\n  clean = 1",
    "global beneath a local": "def total(clean):\n  def inner():\n    global clean\n    return clean\n  return inner",
    "walrus value": "def total():\n  return (y := clean)",
    "match value": "def total(x):\n  match x:\n    case clean.y: return 1",
    "match class": "def total(x):\n  match x:\n    case clean(): return 1",
    "await": "async def total(): return await clean(1)",
    "f-string": 'def total(): return f"{clean(1)!r:>{clean(2)}}"',
    "return annotation": "def total() -> clean: return 1",
    "annotation as text": "def total(x: 'list[clean]'): return 1",
    "store to an attribute": "def total(): clean.x = 1",
    "nested attribute": "def total(): return clean.x.y(1).z",
    "base class": "def total():\n  class A(clean): pass\n  return A",
    "getattr with a constant": "def total(): return getattr(clean, 'x')",
}


@pytest.mark.parametrize("case", SCOPES)
def test_a_local_name_is_not_the_module_s(shop: Shop, case: str) -> None:
    found = shop.fingerprint("shop:total", {"shop.py": f"def clean(x=None): return x\n{SCOPES[case]}\n"})
    assert set(found.components) == {"shop.total"}
    assert found.untracked == ()


@pytest.mark.parametrize("case", REACHED)
def test_the_module_s_name_is_reached(shop: Shop, case: str) -> None:
    text = f"from __future__ import annotations\nclass clean:\n  def __init__(self, x=None): pass\n{REACHED[case]}\n"
    found = shop.fingerprint("shop:total", {"shop.py": text})
    assert set(found.components) == {"shop.total", "shop.clean"}


def test_mutual_recursion_ends(shop: Shop) -> None:
    text = "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\ntotal = even\n"
    even, odd = shop.text(text, "even"), shop.text(text, "odd")
    assert set(even.components) == set(odd.components) == {"shop.even", "shop.odd"}


def test_a_name_bound_under_a_condition_counts_with_all_its_forms_and_the_condition(shop: Shop) -> None:
    text = """
    FAST = True
    if FAST:
        def clean(x): return 1
    else:
        def clean(x): return 2
    def total(x): return clean(x)
    """
    before = shop.text(text)
    assert set(before.components) == {"shop.total", "shop.clean", "shop.FAST"}
    for old, new in [("return 1", "return 3"), ("return 2", "return 3"), ("if FAST", "if not FAST")]:
        assert diff(before.components, shop.text(text.replace(old, new)).components) == [
            ComponentChange("shop.clean", "changed")
        ]


def test_loops_and_later_assignments_belong_to_a_constant(shop: Shop) -> None:
    text = """
    TABLE = {}
    for key in "ab":
        TABLE[key] = 1
    TABLE["c"] = 2
    TABLE |= {"d": 3}
    def total(): return TABLE
    """
    before = shop.text(text)
    for old, new in [('"ab"', '"xy"'), ("= 2", "= 9"), ('"d"', '"e"')]:
        assert diff(before.components, shop.text(text.replace(old, new)).components) == [
            ComponentChange("shop.TABLE", "changed")
        ]


def test_a_constant_counts_by_its_text_and_never_by_its_value(shop: Shop) -> None:
    text = "import os\nMODE = os.environ.get('ASSETFLOW_TEST_MODE')\ndef total(): return MODE\n"
    before = shop.text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSETFLOW_TEST_MODE", "fast")
        assert shop.text(text).version == before.version


FACTORY = """
    from functools import partial, wraps
    from pathlib import Path

    def make(factor, helper=None, *, tail=0):
        def inner(x, start=factor):
            return x * factor + (helper(x) if helper else 0) + tail
        return inner

    def double(x): return x * 2
    def triple(x): return x * 3

    by_two = make(2)
    by_three = make(3)
    with_double = make(2, double)
    with_triple = make(2, triple)
    with_path = make(2, Path("a"))
    with_object = make(object())
    with_list = make(2, [double])
    with_other_list = make(2, [triple])
    with_class = make(2, make)
    with_library = make(2, len)
    first = lambda x: x + 1; second = lambda x: x + 2
    bound = partial(double, 1)
    other_bound = partial(double, 2)

    def logged(prefix):
        def decorate(function):
            @wraps(function)
            def wrapper(*args):
                return prefix, function(*args)
            return wrapper
        return decorate

    @logged("a")
    def noisy(x): return x
    wrapped = logged("b")(double)
    wrapped_otherwise = logged("c")(double)

    class Cleaner:
        rate = 2
        def clean(self, x): return x * self.rate
        @classmethod
        def make(cls, x): return cls().clean(x)
    cleaner = Cleaner()
    method = cleaner.clean
    class_method = Cleaner.make
"""


def test_what_a_closure_holds_counts(shop: Shop) -> None:
    versions = {name: shop.text(FACTORY, name) for name in ("by_two", "by_three", "with_double", "with_triple")}
    assert len({found.version for found in versions.values()}) == 4
    two, three = versions["by_two"].components, versions["by_three"].components
    assert diff(two, three) == [
        ComponentChange("shop.make.<locals>.inner:factor", "changed"),
        ComponentChange("shop.make.<locals>.inner:start", "changed"),
    ]
    assert "shop.double" in versions["with_double"].components
    assert versions["with_double"].untracked == ()


def test_a_helper_in_a_closure_is_followed(shop: Shop) -> None:
    before = shop.text(FACTORY, "with_double")
    after = shop.text(FACTORY.replace("x * 2", "x * 9"), "with_double")
    assert diff(before.components, after.components) == [ComponentChange("shop.double", "changed")]
    assert shop.text(FACTORY, "with_list").version != shop.text(FACTORY, "with_other_list").version
    assert shop.text(FACTORY, "with_library").untracked == ()


def test_what_cannot_be_hashed_is_listed(shop: Shop) -> None:
    assert shop.text(FACTORY, "with_object").untracked == (
        "shop.make.<locals>.inner:factor: a value of type object",
        "shop.make.<locals>.inner:start: a value of type object",
    )
    assert shop.text(FACTORY, "with_path").untracked == ()


def test_lambdas_on_one_line_are_told_apart(shop: Shop) -> None:
    first, second = shop.text(FACTORY, "first"), shop.text(FACTORY, "second")
    assert set(first.components) == set(second.components) == {"shop.<lambda>"}
    assert first.version != second.version
    assert shop.text(FACTORY.replace("second = lambda x: x + 2", "second = lambda x: 7"), "first") == first


def test_partials_wrappers_and_methods(shop: Shop) -> None:
    bound, other = shop.text(FACTORY, "bound"), shop.text(FACTORY, "other_bound")
    assert diff(bound.components, other.components) == [ComponentChange("shop.double:0", "changed")]
    assert shop.text(FACTORY, "noisy").components.keys() >= {"shop.noisy", "shop.logged"}
    wrapped, otherwise = shop.text(FACTORY, "wrapped"), shop.text(FACTORY, "wrapped_otherwise")
    assert diff(wrapped.components, otherwise.components) == [ComponentChange("shop.double:prefix", "changed")]
    assert "shop.logged.<locals>.decorate.<locals>.wrapper" in wrapped.components
    method = shop.text(FACTORY, "method")
    assert method.components.keys() >= {"shop.Cleaner.clean", "shop.Cleaner"}
    assert method.untracked == ("shop.Cleaner.clean:self: the state of an object of type Cleaner",)
    assert shop.text(FACTORY, "class_method").untracked == ()


def test_functions_of_one_name_are_told_apart_by_line(shop: Shop) -> None:
    text = "kept = []\ndef f(x): return 1\nfirst = f\ndef f(x): return 2\nsecond = f\n"
    first, second = shop.text(text, "first"), shop.text(text, "second")
    assert first.version != second.version
    assert first.sources["shop.f"] == "def f(x): return 1\n"


def test_a_local_class_with_its_closure(shop: Shop) -> None:
    text = """
    def make(rate):
        class Rate:
            def value(self): return rate
        def inner(x): return Rate().value() * x
        return inner
    two, three = make(2), make(3)
    """
    two, three = shop.text(text, "two"), shop.text(text, "three")
    assert "shop.make.<locals>.Rate" in two.components
    assert diff(two.components, three.components) == [ComponentChange("shop.make.<locals>.inner:Rate:rate", "changed")]


def test_a_module_in_a_closure_is_followed_by_attribute(shop: Shop) -> None:
    text = """
    def make():
        import helpers
        def inner(x): return helpers.clean(x)
        return inner
    total = make()
    """
    found = shop.fingerprint(
        "shop:total", {"helpers.py": "def clean(x): return x\ndef other(x): return x\n", "shop.py": text}
    )
    assert set(found.components) == {"shop.make.<locals>.inner", "helpers.clean"}


@pytest.mark.parametrize(
    "imports",
    [
        "from assetflow import asset",
        "from assetflow import asset as a",
        "import assetflow as af",
        "from common import asset",
    ],
)
def test_our_decorators_do_not_count(shop: Shop, imports: str) -> None:
    used = "af.asset" if " af" in imports else "a" if imports.endswith(" a") else "asset"
    # Never run: the decorator's own effect is not what is tested.
    source = f"if False:\n  {imports}\nelse:\n  asset = a = lambda f: f\n  class af: asset = staticmethod(a)\n"
    body = "\ndef total(x): return x\n"
    shop.write({"common.py": "if False:\n  from assetflow.definitions.asset import asset\nasset = lambda f: f\n"})
    versions = {
        shop.fingerprint("shop:total", {"shop.py": source + decorator + body}).version
        for decorator in ("", f"@{used}", f"#\n@{used}", f"LIMIT = 3\n@{used}")
    }
    assert len(versions) == 1


def test_dynamic_code_is_listed_as_untracked(shop: Shop) -> None:
    text = """
    import importlib
    def total(row, name):
        exec("x = 1")
        importlib.import_module(name)
        return getattr(row, name), nowhere
    """
    assert shop.text(text).untracked == (
        "shop.total: exec() can reach any code",
        "shop.total: getattr() with a computed name",
        "shop.total: importlib.import_module() can reach any code",
        "shop.total: nowhere is bound nowhere in the text of shop",
    )


def test_a_broken_helper_module_is_listed_as_untracked(shop: Shop) -> None:
    text = "def total():\n  from broken import clean\n  return clean()\n"
    found = shop.fingerprint("shop:total", {"shop.py": text, "broken.py": "def clean(:\n"})
    assert found.untracked == ("shop.total: the module broken cannot be read",)


def test_schemas_named_in_annotations_can_be_left_out(shop: Shop) -> None:
    text = "class Daily:\n  rows: int\nclass Row:\n  x: int\ndef total(x: Row) -> Daily:\n  return x\n"
    found = shop.fingerprint(
        "shop:total", {"shop.py": text}, skip=lambda value: getattr(value, "__name__", "") == "Daily"
    )
    assert set(found.components) == {"shop.total", "shop.Row"}


def test_options_count_and_schemas_stay_apart(shop: Shop) -> None:
    files = {"shop.py": "def total(x): return x\n"}
    base = shop.fingerprint("shop:total", files, options={"missing": "wait", "schema:total": "a int"})
    option = shop.fingerprint("shop:total", files, options={"missing": "allow", "schema:total": "a int"})
    schema = shop.fingerprint("shop:total", files, options={"missing": "wait", "schema:total": "a str"})
    assert set(base.components) == {"shop.total", "option:missing", "schema:total"}
    assert len({base.version, option.version, schema.version}) == 3
    assert only_schema(diff(base.components, schema.components))
    assert not only_schema(diff(base.components, option.components))
    assert not only_schema([])


def test_a_code_version_replaces_function_and_helpers(shop: Shop) -> None:
    one = shop.fingerprint(files={"shop.py": "def total(x): return x\n"}, code_version="7", options={"missing": "wait"})
    two = shop.fingerprint(files={"shop.py": "def total(x): return 2\n"}, code_version="7", options={"missing": "wait"})
    assert one == two
    assert re.fullmatch("u1:[0-9a-f]{32}", one.version)
    assert one.components == {"code_version": "7", "option:missing": one.components["option:missing"]}
    three = shop.fingerprint(code_version="8", options={"missing": "wait"})
    assert diff(one.components, three.components) == [ComponentChange("code_version", "changed")]


def test_a_function_without_source_needs_a_code_version(shop: Shop) -> None:
    spoken: dict[str, object] = {}
    exec("def total(x): return x", spoken)
    for function in (spoken["total"], len):
        assert not has_source(function)
        with pytest.raises(DefinitionError, match=r"the source of (total|len) cannot be found") as caught:
            fingerprint(function, inside=lambda path: True, options={}, cache=SourceCache())
        assert caught.value.hint is not None
        assert 'code_version="1"' in caught.value.hint
    shop.write({"shop.py": "def total(x): return x\n"})
    assert has_source(shop.load("shop:total"))


def test_a_text_edited_since_the_import_is_found_by_name(shop: Shop) -> None:
    shop.write({"shop.py": "def total(x): return x\n"})
    function = shop.load("shop:total")
    (shop.root / "shop.py").write_text("\n\n\nOTHER = 1\ndef total(x): return x + 1\n")
    found = fingerprint(function, inside=lambda path: True, options={}, cache=SourceCache())
    assert found.sources == {"shop.total": "def total(x): return x + 1\n"}
    (shop.root / "shop.py").write_text("def other(x): return x\n")
    with pytest.raises(DefinitionError):
        fingerprint(function, inside=lambda path: True, options={}, cache=SourceCache())


def test_a_snapshot_can_stand_in_for_the_files(shop: Shop) -> None:
    shop.write({"shop.py": "def total(x): return x\n"})
    before = shop.fingerprint()
    snapshot = SourceCache(read=lambda path: "def total(x): return 5\n")
    after = shop.fingerprint(cache=snapshot)
    assert before.version != after.version
    assert after.sources == {"shop.total": "def total(x): return 5\n"}


def test_an_expression_thousands_of_terms_deep(shop: Shop) -> None:
    text = "def total(x): return " + " + ".join(["x"] * 900) + "\n"
    assert shop.text(text).version != shop.text(text.replace("x + x\n", "x - x\n")).version


def test_our_real_decorators_leave_the_function_as_it_is(shop: Shop) -> None:
    body = "def total(orders: int) -> int:\n    return orders\n"
    plain = shop.text(body)
    days = "days = DailyPartitions('2024-01-01')\n"
    text = f"from assetflow import DailyPartitions, asset\n{days}@asset(partitions=days, group='shop')\n{body}"
    found = shop.text(text)
    assert found.components == plain.components
    assert found.version == shop.text(text.replace("'shop'", "'other'")).version == plain.version


def test_a_wrapper_from_outside_is_not_followed(shop: Shop) -> None:
    outside = """
    from functools import wraps
    def retry(times):
        def decorate(function):
            @wraps(function)
            def wrapper(*args): return [function(*args) for _ in range(times)]
            return wrapper
        return decorate
    """
    text = "from library import retry\n@retry(2)\ndef total(x): return x\n"
    inside = project_predicate(shop.root, [shop.root / "library.py"])
    found = shop.fingerprint("shop:total", {"library.py": outside, "shop.py": text}, inside=inside)
    assert set(found.components) == {"shop.total"}


def test_an_import_for_annotations_only_is_followed(shop: Shop) -> None:
    text = """
    from typing import TYPE_CHECKING
    if TYPE_CHECKING:
        from rows import Row
    def total(x: "Row"): return x
    """
    found = shop.fingerprint("shop:total", {"shop.py": text, "rows.py": "class Row: pass\n"}, skip=lambda value: True)
    assert set(found.components) == {"shop.total", "rows.Row"}


@pytest.mark.bench
@pytest.mark.parametrize(("count", "target"), [(1000, 0.5), (5000, 2.0)])
def test_many_functions_of_one_module(shop: Shop, count: int, target: float) -> None:
    lines = [
        f"def f{n}(x):\n    y = clean(x, {n})\n    return [z * RATE for z in y if z > {n}]\n" for n in range(count)
    ]
    text = "RATE = 2\ndef clean(x, n):\n    return [x] * n\n" + "".join(lines)
    shop.write({"shop.py": text})
    functions = [shop.load(f"shop:f{n}") for n in range(count)]
    cache, inside = SourceCache(), lambda path: True
    start = time.perf_counter()
    versions = {fingerprint(function, inside=inside, options={}, cache=cache).version for function in functions}
    seconds = time.perf_counter() - start
    assert len(versions) == count
    print(f"{count} functions: {seconds:.2f} s")
    assert seconds < target
