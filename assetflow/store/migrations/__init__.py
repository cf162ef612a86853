"""Steps from one schema of the store to the next: one file each under ``versions``, applied by alembic."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path


def upgrade(
    url: str, *, patience: float = 30.0, connect: Callable[[], object] | None = None, lock: int | None = None
) -> None:
    """Bring the database at an SQLAlchemy URL to the newest schema, in one transaction.

    ``patience`` is how many seconds to wait for other processes. ``connect`` gives connections of the driver, where the
    URL alone does not. On Postgres, ``lock`` is the advisory lock under which it is done. Raises
    sqlalchemy.exc.DBAPIError.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes.update(url=url, patience=patience, connect=connect, lock=lock)
    command.upgrade(config, "head")
