"""``NO_DATA``: what an asset returns for a partition that has no data."""

from __future__ import annotations

from typing import Any, Final, final


@final
class NoData:
    """The type of :data:`NO_DATA`; there is one instance."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NO_DATA"

    def __reduce__(self) -> str:
        return "NO_DATA"

    def __bool__(self) -> bool:
        return False


# Any, so that a function annotated `-> pd.DataFrame` may return it.
NO_DATA: Final[Any] = NoData()
"""Return it to publish a partition as empty: counted as present, skipped by loads, passed by watermarks.

>>> import pickle
>>> pickle.loads(pickle.dumps(NO_DATA)) is NO_DATA
True
"""
