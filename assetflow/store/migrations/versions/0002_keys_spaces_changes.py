"""Sets of keys that are kept in the store; a uid for what ordinals count; a log of what no derivation tells of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables of dynamic partitions, and let an asset have several uids, one for each space of ordinals.

    In which space those of before are is found when their assets are opened.
    """
    op.create_table(
        "candidate_keys",
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "changes",
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("changed_at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "dynamic_keys",
        sa.Column("definition", NUMBER, nullable=False),
        sa.Column("place", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("added_at", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("removed_at", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("definition", "place"),
        sqlite_with_rowid=False,
    )
    op.create_index("dynamic_keys_by_ordinal", "dynamic_keys", ["definition", "ordinal"], unique=True)
    op.create_table(
        "dynamic_partitions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("added", NUMBER, nullable=False),
        sa.Column("revised", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="dynamic_partition_names"),
    )
    op.rename_table("assets", "assets_before")
    op.create_table(
        "assets",
        sa.Column("uid", NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("space", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("uid"),
        sa.UniqueConstraint("key", "space", name="asset_spaces"),
    )
    op.execute("INSERT INTO assets (uid, key) SELECT uid, key FROM assets_before")
    op.drop_table("assets_before")
