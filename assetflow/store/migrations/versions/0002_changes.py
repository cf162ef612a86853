"""A log of what changes the planner's state without a derivation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the log, empty: saved states are younger than it."""
    op.create_table(
        "changes",
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("changed_at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
