"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "asset_heads",
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("generation", NUMBER, nullable=False),
        sa.Column("published_at", NUMBER, nullable=False),
        sa.Column("schema_id", NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("environment", "asset"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "assets",
        sa.Column("uid", NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("uid"),
        sa.UniqueConstraint("key", name="asset_keys"),
    )
    op.create_table(
        "check_results",
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", NUMBER, nullable=False),
        sa.Column("passed", NUMBER, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("blocking", NUMBER, nullable=False),
        sa.Column("checked_at", NUMBER, nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("version", "name", "code"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "code_versions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("version", name="code_version_texts"),
    )
    op.create_table(
        "counters",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("generation", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("derivation", NUMBER, nullable=False),
        sa.Column("event", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "derivation_inputs",
        sa.Column("derivation", NUMBER, nullable=False),
        sa.Column("parameter", sa.Text(), nullable=False),
        sa.Column("upstream", NUMBER, nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=False),
        sa.Column("ranges", sa.Text(), nullable=False),
        sa.Column("partitions", NUMBER, nullable=False),
        sa.Column("as_of", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("derivation", "parameter"),
        sqlite_with_rowid=False,
    )
    op.create_index("inputs_by_upstream", "derivation_inputs", ["upstream"], unique=False)
    op.create_table(
        "derivations",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", NUMBER, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("committed_at", NUMBER, nullable=False),
        sa.Column("generation", NUMBER, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("retired", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("derivations_by_version", "derivations", ["version"], unique=False)
    op.create_index(
        "retired_derivations",
        "derivations",
        ["asset", "code"],
        unique=False,
        sqlite_where=sa.text("retired = 1"),
        postgresql_where=sa.text("retired = 1"),
    )
    op.create_table(
        "edge_layouts",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("parameters", name="edge_layout_parameters"),
    )
    op.create_table(
        "environments",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="environment_names"),
    )
    op.create_table(
        "events",
        sa.Column("seq", NUMBER, nullable=False),
        sa.Column("occurred_at", NUMBER, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("asset", NUMBER, nullable=True),
        sa.Column("ordinal", NUMBER, nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "failures",
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "asset", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "observations",
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("tried_at", NUMBER, nullable=False),
        sa.Column("observed_at", NUMBER, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("asset"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "partition_keys",
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ordinal"),
        sa.UniqueConstraint("key", name="partition_key_texts"),
    )
    op.create_table(
        "pointer_log",
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("generation", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=True),
        sa.Column("derivation", NUMBER, nullable=True),
        sa.Column("moved_at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("environment", "asset", "ordinal", "generation"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pointers",
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("derivation", NUMBER, nullable=False),
        sa.Column("generation", NUMBER, nullable=False),
        sa.Column("code", NUMBER, nullable=False),
        sa.Column("flags", NUMBER, nullable=False),
        sa.Column("layout", NUMBER, nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signatures", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("environment", "asset", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "runs",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("environment", NUMBER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", NUMBER, nullable=False),
        sa.Column("ended_at", NUMBER, nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("pid", NUMBER, nullable=False),
        sa.Column("process_started", sa.Float(precision=53), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("run_id", name="run_ids"),
    )
    op.create_table(
        "schemas",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("arrow", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", name="schema_digests"),
    )
    op.create_table(
        "source_texts",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest", name="source_text_digests"),
    )
    op.create_table(
        "stage_intents",
        sa.Column("version", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "steps",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("attempt", NUMBER, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("queued_at", NUMBER, nullable=False),
        sa.Column("started_at", NUMBER, nullable=False),
        sa.Column("ended_at", NUMBER, nullable=False),
        sa.Column("version", NUMBER, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "asset", "ordinal", "attempt"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "versions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("asset", NUMBER, nullable=False),
        sa.Column("ordinal", NUMBER, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("created_at", NUMBER, nullable=False),
        sa.Column("published_at", NUMBER, nullable=True),
        sa.Column("derivation", NUMBER, nullable=False),
        sa.Column("data_hash", sa.LargeBinary(), nullable=False),
        sa.Column("empty", NUMBER, nullable=False),
        sa.Column("io_manager", sa.Text(), nullable=True),
        sa.Column("storage", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("files", sa.Text(), nullable=True),
        sa.Column("inline", sa.Text(), nullable=True),
        sa.Column("row_count", NUMBER, nullable=True),
        sa.Column("byte_count", NUMBER, nullable=True),
        sa.Column("schema_id", NUMBER, nullable=True),
        sa.Column("metadata", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("versions_by_partition", "versions", ["asset", "ordinal"], unique=False)
    op.execute("INSERT INTO counters (id, generation, version, derivation, event) VALUES (1, 0, 0, 0, 0)")
