"""Steps from one schema of the store to the next: one file each under ``versions``, applied by alembic."""

from __future__ import annotations

from pathlib import Path


def upgrade(url: str, *, patience: float = 30.0) -> None:
    """Bring the database at an SQLAlchemy URL to the newest schema, in one transaction.

    ``patience`` is how many seconds to wait for other processes. Raises sqlalchemy.exc.DBAPIError.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes.update(url=url, patience=patience)
    command.upgrade(config, "head")
