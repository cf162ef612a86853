"""Names of things: asset keys, ids and hashes, and the address grammar ``asset@partition``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import NewType

from assetflow.errors import UsageError

AssetKey = NewType("AssetKey", str)
"""An asset's key: parts ``[A-Za-z_]\\w*`` joined by ``/``."""

VersionId = NewType("VersionId", int)
"""One immutable output of one asset partition."""

CodeVersion = NewType("CodeVersion", str)
"""``c1:`` and 32 hex digits, or ``u1:`` and the user's own ``code_version=``'s hash."""

DataHash = NewType("DataHash", str)
"""``a1:`` and 32 hex digits: the content of a version."""

EMPTY_HASH = DataHash("a1:" + "0" * 32)
"""The data hash of every version that was published as having no data."""

DEFAULT_ENVIRONMENT = "prod"
"""The environment of a project that names none; the others have their name in file names."""

_PART = re.compile(r"[A-Za-z_]\w*", re.ASCII)
ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][\w-]{0,62}", re.ASCII)
_OPERATORS = frozenset({"and", "or", "not"})
_ESCAPED = re.compile(r"%(40|7[Cc]|2[Ee]|25)")
_ESCAPES = {"40": "@", "7c": "|", "2e": ".", "25": "%"}


def is_asset_key(text: str) -> bool:
    """Whether ``text`` is a valid asset key.

    >>> is_asset_key("raw/orders"), is_asset_key("raw//orders"), is_asset_key("not")
    (True, False, False)
    """
    return text not in _OPERATORS and all(_PART.fullmatch(part) for part in text.split("/"))


def is_environment_name(text: str) -> bool:
    """Whether ``text`` can name an environment, and so be part of a file name.

    >>> is_environment_name("dev-2"), is_environment_name("../dev")
    (True, False)
    """
    return ENVIRONMENT_NAME.fullmatch(text) is not None


def nearest_names(name: str, known: Iterable[str]) -> str | None:
    """A hint that offers the known names closest to ``name``, or None.

    >>> nearest_names("ordrs", ["orders", "customers"])
    'did you mean orders?'
    """
    matches = get_close_matches(name, sorted(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(matches)}?" if matches else None


@dataclass(frozen=True, slots=True)
class Address:
    """One asset, or one of its partitions, as people write it; ``partition`` is the true key."""

    asset: AssetKey
    partition: str | None = None

    def __str__(self) -> str:
        return format_address(self.asset, self.partition)


def parse_address(text: str) -> Address:
    """Read ``asset`` or ``asset@key``; the first ``@`` ends the asset. Raises UsageError.

    >>> parse_address("orders@a%40b").partition
    'a@b'
    """
    asset, at, partition = text.partition("@")
    if not is_asset_key(asset):
        raise UsageError(
            f"{asset!r} is no asset key", hint="write ASSET or ASSET@PARTITION, for example orders@2024-01-31"
        )
    if at and not partition:
        raise UsageError(f"{text!r} has an empty partition key", hint=f"write {asset}@KEY, or {asset} alone")
    return Address(AssetKey(asset), unescape_key(partition) if at else None)


def format_address(asset: str, partition: str | None) -> str:
    """The address of an asset partition, escaped so that ``parse_address`` reads it back.

    >>> format_address("orders", "a@b"), format_address("orders", None)
    ('orders@a%40b', 'orders')
    """
    return asset if partition is None else f"{asset}@{escape_key(partition)}"


def escape_key(key: str) -> str:
    """Escape what would be read otherwise inside an address: ``@``, ``...`` and a literal escape.

    >>> escape_key("a...b"), escape_key("100%25")
    ('a%2E%2E%2Eb', '100%2525')
    """
    escaped = _ESCAPED.sub(lambda match: "%25" + match[1], key).replace("@", "%40")
    ambiguous = "..." in escaped or escaped.startswith(".") or escaped.endswith(".")
    return escaped.replace(".", "%2E") if ambiguous else escaped


def unescape_key(text: str) -> str:
    """Undo :func:`escape_key`.

    >>> unescape_key("a%2E%2E%2Eb"), unescape_key("50%")
    ('a...b', '50%')
    """
    return _ESCAPED.sub(lambda match: _ESCAPES[match[1].lower()], text)


def parse_range(text: str) -> tuple[str, str]:
    """Read one partition argument: ``K`` or the inclusive range ``A...B``, as a pair of true keys.

    >>> parse_range("2024-01-01...2024-01-31"), parse_range("a%2Eb")
    (('2024-01-01', '2024-01-31'), ('a.b', 'a.b'))
    """
    first, dots, last = text.partition("...")
    if not first or (dots and not last):
        raise UsageError(f"{text!r} is no partition or range", hint="write KEY, or FIRST...LAST")
    return unescape_key(first), unescape_key(last if dots else first)
