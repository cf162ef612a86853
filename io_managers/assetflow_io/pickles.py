"""Any Python object, pickled; only bytes that assetflow itself wrote are ever unpickled."""

from __future__ import annotations

import pickle

from blake3 import blake3

from assetflow.errors import DataMissing, DataUnreadable, InputError, OutputError
from assetflow.io import InputContext, OutputContext, StagedOutput, StoredPartition
from assetflow.keys import DataHash, format_address

_FILE = "value.pkl"
_PROTOCOL = 5


class PickleIOManager:
    """Stores whatever pickles. One partition loads as its value, several as a list of their values in order.

    A file is unpickled only if its digest is the recorded one, because unpickling runs code.

    >>> PickleIOManager().name
    'pickle'
    """

    name = "pickle"
    storage = f"pickle:{_PROTOCOL}"
    versioned = True
    external = False
    cross_process = True
    types: tuple[type, ...] = (object,)

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Write one file; the data hash is its digest. Raises OutputError for what does not pickle."""
        try:
            data = pickle.dumps(value, protocol=_PROTOCOL)
        except Exception as error:  # __reduce__ and __getstate__ are the user's code
            place = format_address(context.asset, context.partition)
            raise OutputError(
                f"{place}: a value of type {type(value).__qualname__} cannot be pickled: {error}",
                hint="return plain values or a table, or leave out open files, locks, connections and lambdas",
            ) from error
        (context.folder() / _FILE).write_bytes(data)
        data_hash = DataHash("a1:" + blake3(data).hexdigest(length=16))
        return StagedOutput(storage=self.storage, files=(_FILE,), data_hash=data_hash)

    def load(self, context: InputContext, expected_type: type) -> object:
        """The value, or the list of values. Raises DataMissing, DataUnreadable and InputError."""
        values = [_read(partition) for partition in context.partitions]
        for partition, value in zip(context.partitions, values, strict=True):
            if not isinstance(value, expected_type):
                place = format_address(partition.asset, partition.partition)
                raise InputError(
                    f"{place}: holds a {type(value).__qualname__}, which cannot arrive as {expected_type.__qualname__}",
                    hint="annotate the parameter with the type that the asset returns",
                )
        return values[0] if len(values) == 1 else values


def _read(partition: StoredPartition) -> object:
    file = partition.file()
    place = format_address(partition.asset, partition.partition)
    rebuild = f"rebuild it: assetflow materialize --select {partition.asset} --force"
    try:
        data = file.path.read_bytes()
    except FileNotFoundError as error:
        raise DataMissing(
            f"{place}: version {partition.version} has lost its file {file.path}", hint=rebuild
        ) from error
    except OSError as error:
        raise DataUnreadable(
            f"{place}: the file {file.path} of version {partition.version} cannot be read: {error.strerror}",
            hint=rebuild,
        ) from error
    if f"blake3:{blake3(data).hexdigest()}" != file.digest:
        raise DataUnreadable(
            f"{place}: the file {file.path} is not what version {partition.version} recorded, so it is not unpickled",
            hint=rebuild,
        )
    try:
        return pickle.loads(data)
    except Exception as error:  # unpickling imports and runs the classes' own code
        raise DataUnreadable(
            f"{place}: the file {file.path} of version {partition.version} cannot be unpickled: {error}",
            hint=f"its classes must be importable as they were; else {rebuild}",
        ) from error
