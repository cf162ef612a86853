from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NewType, Optional, TypeVar, Union

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from assetflow.definitions.annotations import ANY, NOTHING, PATHS, Annotations, Arrival, type_text
from assetflow.definitions.schema import Schema
from assetflow.definitions.values import NoData
from assetflow.errors import DefinitionError


class Daily(Schema):
    origin: str


T = TypeVar("T")
Money = NewType("Money", int)
FORMS: list[tuple[Any, str]] = [
    (pd.DataFrame, "one:pandas"),
    (pa.Table, "one:arrow"),
    (pyarrow.dataset.Dataset, "one:dataset"),
    (duckdb.DuckDBPyRelation, "one:duckdb"),
    (pd.Series, "one:value:pandas.Series"),
    (int, "one:value:int"),
    (dict, "one:value:dict"),
    (list[str], "one:value:list[str]"),
    (dict[int, str], "one:value:dict[int, str]"),
    (Any, "any"),
    (object, "any"),
    (T, "any"),
    (Money, "one:value:int"),
    (pd.DataFrame | None, "one:pandas"),
    (Optional[int], "one:value:int"),  # noqa: UP045
    (Union[int, str, None], "one:value:int | str | None"),  # noqa: UP007
    (dict[str, pd.DataFrame], "dict:pandas"),
    (Mapping[str, pa.Table], "dict:arrow"),
    (dict[str, pa.Table | None], "dict:arrow"),
    (dict[str, Any], "dict:any"),
    (list[Path], "paths"),
    (Sequence[Path], "paths"),
    (Annotated[pd.DataFrame, "a note"], "one:pandas"),
]


def annotated(annotation: object, name: str = "value") -> Annotations:
    def function(value: object) -> None: ...

    function.__annotations__ = {name: annotation}
    return Annotations(function)


@pytest.mark.parametrize(("annotation", "text"), FORMS, ids=[text for _, text in FORMS])
def test_how_a_parameter_arrives(annotation: object, text: str) -> None:
    assert str(annotated(annotation).parameter("value")) == text


def test_the_type_itself_is_kept() -> None:
    assert annotated(pd.DataFrame).parameter("value") == Arrival("one", "pandas", pd.DataFrame)
    assert annotated(dict[str, int]).parameter("value") == Arrival("dict", "value", int)
    assert annotated(list[Path]).parameter("value") == PATHS


def test_no_annotation_says_nothing() -> None:
    def function(value): ...  # type: ignore[no-untyped-def]

    assert Annotations(function).parameter("value") == Annotations(function).returns() == ANY


@pytest.mark.parametrize(
    ("annotation", "batch", "text"),
    [
        (None, False, "none"),
        (pd.DataFrame, False, "one:pandas"),
        (pd.DataFrame | NoData, False, "one:pandas"),
        (dict[str, int], False, "one:value:dict[str, int]"),
        (dict[str, int], True, "dict:value:int"),
        (dict[str, pd.DataFrame], True, "dict:pandas"),
        (pd.DataFrame, True, "one:pandas"),
        (list[Path], False, "one:value:list[pathlib.Path]"),
    ],
)
def test_what_is_returned(annotation: object, batch: bool, text: str) -> None:
    assert str(annotated(annotation, "return").returns(batch=batch)) == text


def test_the_schema_travels_with_the_return_annotation() -> None:
    assert annotated(Annotated[pd.DataFrame, "x", Daily], "return").returns().schema is Daily
    assert annotated(dict[str, Annotated[pd.DataFrame, Daily]], "return").returns(batch=True).schema is Daily
    assert annotated(Annotated[dict[str, pd.DataFrame], Daily], "return").returns(batch=True).schema is Daily


@pytest.mark.parametrize(
    ("annotation", "texts"),
    [
        (tuple[int, pd.DataFrame], ["one:value:int", "one:pandas"]),
        (tuple[int, ...], ["one:value:int", "one:value:int"]),
        (dict[str, pa.Table], ["one:arrow", "one:arrow"]),
        (dict, ["any", "any"]),
        (tuple, ["any", "any"]),
        (None, ["none", "none"]),
    ],
)
def test_what_several_outputs_are(annotation: object, texts: list[str]) -> None:
    outputs = annotated(annotation, "return").returned_outputs(["a", "b"])
    assert [str(output) for output in outputs] == texts


def test_several_outputs_in_a_batch() -> None:
    outputs = annotated(tuple[dict[str, int], pd.DataFrame], "return").returned_outputs(["a", "b"], batch=True)
    assert [str(output) for output in outputs] == ["dict:value:int", "one:pandas"]


def test_several_outputs_without_annotation() -> None:
    assert annotated(int).returned_outputs(["a", "b"]) == (ANY, ANY)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("pd.DataFrame", "one:pandas"),
        ("Annotated[pd.DataFrame, 'note']", "one:pandas"),
        ("dict[str, 'pa.Table']", "dict:arrow"),
        ("'int'", "one:value:int"),
        ("int | None", "one:value:int"),
        ("Optional['pd.DataFrame']", "one:pandas"),
    ],
)
def test_texts_are_evaluated_in_the_functions_module(text: str, form: str) -> None:
    assert str(annotated(text).parameter("value")) == form


def test_texts_see_the_enclosing_function() -> None:
    class Local: ...

    def function(value: Local) -> object:
        return Local

    assert Annotations(function).parameter("value").python is Local


def test_a_text_that_names_nothing_is_an_error() -> None:
    with pytest.raises(
        DefinitionError, match=r"parameter 'value': 'pl\.DataFrame' cannot be read \(NameError"
    ) as raised:
        annotated("pl.DataFrame").parameter("value")
    assert raised.value.hint == "import what it names at the top of the module, not under TYPE_CHECKING"
    with pytest.raises(DefinitionError, match=r"return annotation: '1 / 0' cannot be read \(ZeroDivisionError"):
        annotated("1 / 0", "return").returns()


def test_nothing_is_the_effect_of_none() -> None:
    assert annotated("None", "return").returns() == NOTHING


def test_tables_are_told_from_other_values() -> None:
    assert [annotated(each).parameter("value").is_table for each in (pd.DataFrame, int, Any)] == [True, False, False]


def test_texts_of_types_are_stable() -> None:
    function: Any = Callable[[int], str]
    assert type_text(dict[str, list[int]]) == "dict[str, list[int]]"
    assert type_text(Optional[int]) == type_text(int | None) == "int | None"  # noqa: UP045
    assert type_text(pd.DataFrame) == "pandas.DataFrame"
    assert type_text(function).startswith("collections.abc.Callable[")


def test_reading_annotations_imports_no_library() -> None:
    code = "import sys, assetflow.graph; print(sorted({'pandas', 'pyarrow', 'duckdb'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
