"""Steps from one schema of the store to the next: one file each under ``versions``, applied by alembic."""

from __future__ import annotations

from pathlib import Path


def upgrade(url: str, *, revision: str = "head") -> None:
    """Bring the database at an SQLAlchemy URL to a revision, all steps in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["url"] = url
    command.upgrade(config, revision)
