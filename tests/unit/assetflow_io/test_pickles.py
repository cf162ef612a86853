from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from assetflow_io.pickles import PickleIOManager
from blake3 import blake3

from assetflow.errors import DataUnreadable, InputError, OutputError
from tests.contract.io_manager_contract import Shelf, load

PICKLE = PickleIOManager()


@dataclass
class Model:
    weights: tuple[float, ...]


class Trap:
    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("trap"),)


def test_objects_come_back(shelf: Shelf) -> None:
    assert load(PICKLE, shelf.put(PICKLE, Model((1.0, 2.0)))) == Model((1.0, 2.0))


def test_the_data_hash_is_that_of_the_bytes(shelf: Shelf) -> None:
    context = shelf.context()
    staged = PICKLE.stage(context, Model((1.0,)))
    assert staged.data_hash == "a1:" + blake3(pickle.dumps(Model((1.0,)), protocol=5)).hexdigest()[:32]
    assert PICKLE.stage(shelf.context(), Model((2.0,))).data_hash != staged.data_hash


def test_bytes_that_assetflow_did_not_write_are_never_unpickled(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stored = shelf.put(PICKLE, Model((1.0,)))
    stored.file().path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(DataUnreadable, match="is not what version 1 recorded, so it is not unpickled"):
        load(PICKLE, stored)
    assert not Path("trap").exists()


def test_what_does_not_pickle_is_refused_with_its_type(shelf: Shelf) -> None:
    with pytest.raises(OutputError, match="raw/orders@2024-01-01: a value of type lock cannot be pickled") as caught:
        shelf.put(PICKLE, threading.Lock())
    assert caught.value.hint == (
        "return plain values or a table, or leave out open files, locks, connections and lambdas"
    )


class Fragile:
    broken = False

    def __setstate__(self, state: object) -> None:
        if Fragile.broken:
            raise AttributeError("this class has changed")

    def __getstate__(self) -> dict[str, int]:
        return {"a": 1}


def test_a_class_that_has_changed_is_reported(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = shelf.put(PICKLE, Fragile())
    monkeypatch.setattr(Fragile, "broken", True)
    with pytest.raises(DataUnreadable, match="of version 1 cannot be unpickled: this class has changed") as caught:
        load(PICKLE, stored)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("its classes must be importable as they were")


def test_a_folder_in_place_of_the_file_is_unreadable(shelf: Shelf) -> None:
    stored = shelf.put(PICKLE, Model((1.0,)))
    stored.file().path.unlink()
    stored.file().path.mkdir()
    with pytest.raises(DataUnreadable, match="of version 1 cannot be read: Is a directory"):
        load(PICKLE, stored)


def test_another_type_than_expected_is_refused(shelf: Shelf) -> None:
    with pytest.raises(InputError, match="raw/orders@2024-01-01: holds a Model, which cannot arrive as dict"):
        load(PICKLE, shelf.put(PICKLE, Model((1.0,))), expected=dict)
