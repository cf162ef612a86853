"""The folder names of partitions. Nothing reads them back: manifests hold the true keys."""

from __future__ import annotations

import re

from blake3 import blake3

_PLAIN = re.compile(r"[A-Za-z0-9._=-]{1,80}")
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


def path_component(key: str, *, clashes: bool = False) -> str:
    """The folder name of a partition: its key where that is harmless, else a readable part, ``~`` and a hash.

    ``clashes`` says that another key of the definition differs in case only, which some file systems cannot hold.
    Names that begin with ``_`` or ``v-`` belong to assetflow's own files and versions.

    >>> path_component("2013-01-31"), path_component("../../etc/passwd")
    ('2013-01-31', 'etc_passwd~58374639e1651454')
    """
    ours = key.startswith(("_", "v-"))
    if _PLAIN.fullmatch(key) and key not in (".", "..") and not ours and not clashes:
        return key
    slug = _UNSAFE.sub("_", key).lstrip("._-")[:40]
    readable = "v_" + slug[2:] if slug.startswith("v-") else slug
    return f"{readable}~{blake3(key.encode()).hexdigest(length=8)}"
