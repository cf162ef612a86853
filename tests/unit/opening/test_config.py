"""Settings of a project: where they are found, what overrides them, what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from assetflow.errors import ProjectError
from assetflow.opening.config import ProjectConfig, find_root, read_config


def written(folder: Path, *lines: str, table: str = "[tool.assetflow]") -> Path:
    (folder / "pyproject.toml").write_text("\n".join(['[project]\nname = "shop"\n', table, *lines]))
    return folder


def test_only_the_definitions_are_required(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, 'definitions = "shop"'), {})
    assert config == ProjectConfig("shop", "sqlite:///.assetflow/store.db", ".assetflow/data", "prod")


def test_leases_and_pools_can_be_set(tmp_path: Path) -> None:
    lines = ['definitions = "shop"', "lease_seconds = 30", "[tool.assetflow.pools]", "default = 8", "warehouse = 4"]
    config = read_config(written(tmp_path, *lines), {})
    assert (config.lease_seconds, config.pools) == (30.0, {"default": 8, "warehouse": 4})


def test_variables_override_what_is_written(tmp_path: Path) -> None:
    root = written(tmp_path, 'definitions = "shop"', 'storage = "here"', 'environment = "one"')
    config = read_config(root, {"ASSETFLOW_STORAGE": "there", "ASSETFLOW_ENVIRONMENT": "", "OTHER": "x"})
    assert (config.storage, config.environment) == ("there", "one")


@pytest.mark.parametrize(
    ("lines", "message", "line"),
    [
        ([], "needs definitions", 4),
        (['definitions = "shop.py:"'], "definitions = 'shop.py:' cannot be used", 5),
        (['definitions = "shop"', "storage = 3"], "storage = 3 cannot be used", 6),
        (['definitions = "shop"', 'store = "postgresql://me:se\\ncret@host/db"'], "store cannot be used", 6),
        (['definitions = "shop"', 'environment = "../x"'], "environment = '../x' cannot be used", 6),
        (['definitions = "shop"', 'environment = "dév"'], "environment = 'dév' cannot be used", 6),
        (['definitions = "shop"', 'stoarge = "x"'], "no setting stoarge", 6),
        (['definitions = "shop"', "lease_seconds = 0"], "lease_seconds = 0 cannot be used", 6),
        (['definitions = "shop"', 'lease_seconds = "15s"'], "lease_seconds = '15s' cannot be used", 6),
        (['definitions = "shop"', "pools = 4"], "pools = 4 is no table", 6),
        (
            ['definitions = "shop"', "[tool.assetflow.pools]", "default = 8", "api = 0"],
            r"\[tool.assetflow.pools\] api = 0 is no limit",
            8,
        ),
        (['definitions = "shop"', "[tool.assetflow.pools]", 'api = "4"'], "api = '4' is no limit", 7),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, lines: list[str], message: str, line: int) -> None:
    with pytest.raises(ProjectError, match=message) as caught:
        read_config(written(tmp_path, *lines), {})
    assert caught.value.hint
    assert caught.value.location is not None
    assert caught.value.location.line == line
    assert "cret" not in str(caught.value)


def test_a_variable_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="ASSETFLOW_ENVIRONMENT=a b cannot be used"):
        read_config(written(tmp_path, 'definitions = "shop"'), {"ASSETFLOW_ENVIRONMENT": "a b"})


def test_a_store_with_a_password_is_not_shown(tmp_path: Path) -> None:
    url = "postgresql://me:secret@host/shop"
    config = read_config(written(tmp_path, 'definitions = "shop"', f'store = "{url}"'), {})
    assert config.store == url
    assert "secret" not in repr(config)
    with pytest.raises(ProjectError, match=r"^ASSETFLOW_STORE cannot be used") as caught:
        read_config(tmp_path, {"ASSETFLOW_STORE": "postgresql://me:secret@host/\nshop"})
    assert "secret" not in str(caught.value)


def test_a_project_is_found_upwards(tmp_path: Path) -> None:
    inner = tmp_path / "shop" / "deep" / "folder"
    inner.mkdir(parents=True)
    written(tmp_path / "shop", 'definitions = "shop"')
    written(tmp_path / "shop" / "deep", table="[tool.other]")
    assert find_root(inner) == tmp_path / "shop"
    with pytest.raises(ProjectError, match="no project at or above") as caught:
        find_root(tmp_path)
    assert "assetflow init" in str(caught.value.hint)
