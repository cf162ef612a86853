"""Plain values as JSON: in the version record itself while they are small, else in a file."""

from __future__ import annotations

import json

from blake3 import blake3

from assetflow.errors import DataMissing, DataUnreadable, InputError, OutputError
from assetflow.io import INLINE_LIMIT, InputContext, OutputContext, StagedOutput, StoredPartition, json_problem
from assetflow.keys import format_address

_FILE = "value.json"


class JsonIOManager:
    """Stores what JSON gives back exactly: None, bool, int, float, str, lists, and dicts with text keys.

    NaN and the infinities are kept, written as Python's json does. One partition loads as its value, several as a list
    of their values in order.

    >>> JsonIOManager().name
    'json'
    """

    name = "json"
    storage = "json"
    versioned = True
    external = False
    cross_process = True
    types: tuple[type, ...] = (dict, list, str, int, float, bool, type(None))

    def stage(self, context: OutputContext, value: object) -> StagedOutput:
        """Keep the value as text. Raises OutputError for what JSON would change."""
        problem = json_problem(value)
        if problem:
            place = format_address(context.asset, context.partition)
            raise OutputError(
                f"{place}: the value does not come back unchanged from JSON: {problem}",
                hint="return plain values, or use io_manager='pickle'",
            )
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        data = text.encode()
        if len(data) <= INLINE_LIMIT:
            return StagedOutput(storage=self.storage, inline=text)
        (context.folder() / _FILE).write_bytes(data)
        return StagedOutput(storage=self.storage, files=(_FILE,))

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
    place = format_address(partition.asset, partition.partition)
    rebuild = f"rebuild it: assetflow materialize --select {partition.asset} --force"
    data: str | bytes
    if partition.inline is not None:
        source = "its record"
        data = partition.inline
    else:
        path = partition.file().path
        source = str(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise DataMissing(f"{place}: version {partition.version} has lost its file {path}", hint=rebuild) from error
        except OSError as error:
            raise DataUnreadable(
                f"{place}: the file {path} of version {partition.version} cannot be read: {error.strerror}",
                hint=rebuild,
            ) from error
        if f"blake3:{blake3(data).hexdigest()}" != partition.file().digest:
            raise DataUnreadable(
                f"{place}: the file {path} is not what version {partition.version} recorded", hint=rebuild
            )
    try:
        return json.loads(data)
    except ValueError as error:
        raise DataUnreadable(
            f"{place}: version {partition.version} is not valid JSON in {source}: {error}", hint=rebuild
        ) from error
