"""Leases, claims and pools; pins and deletions; what attempts took."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and give counters, runs and steps their new columns: for what was, with nothing in them."""
    _leases()
    _retention()
    _rebuilt(
        "counters",
        (*_numbers("id", "generation", "version", "derivation", "event", "fence"), sa.PrimaryKeyConstraint("id")),
        ("id", "generation", "version", "derivation", "event"),
        {"fence": "0"},
    )
    _runs()
    _steps()


def _leases() -> None:
    op.create_table(
        "leases",
        _number("fence"),
        _text("run_id"),
        _number("environment"),
        *_process(),
        *_numbers("claimed_at", "expires_at"),
        sa.PrimaryKeyConstraint("fence"),
    )
    op.create_table(
        "claims",
        *_numbers("fence", "environment", "asset"),
        sa.Column("ordinals", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("fence", "environment", "asset"),
        sqlite_with_rowid=False,
    )
    op.create_index("claims_by_asset", "claims", ["environment", "asset"])
    op.create_table(
        "pool_slots",
        _number("id"),
        _text("pool"),
        _number("fence"),
        _text("step"),
        *_numbers("weight", "priority", "asked_at"),
        _number("granted_at", nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("pool_slots_by_pool", "pool_slots", ["pool"])


def _retention() -> None:
    op.create_table(
        "pins",
        _number("id"),
        _text("name"),
        _number("environment"),
        _number("version", nullable=True),
        _number("generation", nullable=True),
        _text("reason", nullable=True),
        _number("created_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="pin_names"),
    )
    op.create_table(
        "deletions",
        *_numbers("version", "marked_at"),
        _number("deleted_at", nullable=True),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table(
        "read_leases",
        _number("id"),
        *_process(),
        sa.Column("versions", sa.LargeBinary(), nullable=False),
        *_numbers("taken_at", "expires_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "external_intents",
        *_numbers("version", "environment", "asset", "ordinal"),
        _text("run_id"),
        _text("io_manager"),
        _text("publication"),
        _number("created_at"),
        sa.PrimaryKeyConstraint("version"),
    )
    op.create_table("commits", *_numbers("generation", "committed_at"), sa.PrimaryKeyConstraint("generation"))
    op.execute(
        "INSERT INTO commits (generation, committed_at) "
        "SELECT generation, max(moved_at) FROM pointer_log GROUP BY generation"
    )


def _runs() -> None:
    _rebuilt(
        "runs",
        (
            _number("id"),
            _text("run_id"),
            _number("environment"),
            _text("status"),
            _number("started_at"),
            _number("ended_at", nullable=True),
            _text("started_by"),
            *_process(),
            _text("plan"),
            _text("counts"),
            _text("error", nullable=True),
            _number("priority"),
            _text("executor"),
            _number("workers"),
            _number("cancel_asked_at", nullable=True),
            sa.PrimaryKeyConstraint("id"),
            sa.UniqueConstraint("run_id", name="run_ids"),
        ),
        (
            "id",
            "run_id",
            "environment",
            "status",
            "started_at",
            "ended_at",
            "started_by",
            "host",
            "boot_id",
            "pid",
            "process_started",
            "plan",
            "counts",
            "error",
        ),
        {"priority": "0", "executor": "'inline'", "workers": "1"},
    )


def _steps() -> None:
    measured = ("load", "compute", "stage", "check", "publish", "cpu")
    _rebuilt(
        "steps",
        (
            _text("run_id"),
            *_numbers("asset", "ordinal", "attempt"),
            _text("status"),
            *_numbers("queued_at", "started_at", "ended_at"),
            _number("version", nullable=True),
            _text("error", nullable=True),
            *(_number(f"{name}_time", nullable=True) for name in measured),
            *(_number(name, nullable=True) for name in ("peak_memory", "row_count", "byte_count", "call_size")),
            sa.PrimaryKeyConstraint("run_id", "asset", "ordinal", "attempt"),
        ),
        ("run_id", "asset", "ordinal", "attempt", "status", "queued_at", "started_at", "ended_at", "version", "error"),
        {},
        with_rowid=False,
    )


def _rebuilt(
    table: str,
    items: tuple[sa.schema.SchemaItem, ...],
    kept: tuple[str, ...],
    given: Mapping[str, str],
    *,
    with_rowid: bool = True,
) -> None:
    op.rename_table(table, f"{table}_before")
    # A constraint keeps its name where a table is renamed, and no two may have the same.
    if op.get_bind().dialect.name == "postgresql":
        for item in items:
            if isinstance(item, sa.UniqueConstraint):
                op.drop_constraint(str(item.name), f"{table}_before")
    op.create_table(table, *items, sqlite_with_rowid=with_rowid)
    columns, values = ", ".join((*kept, *given)), ", ".join((*kept, *given.values()))
    op.execute(f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table}_before")
    op.drop_table(f"{table}_before")


def _number(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, NUMBER, nullable=nullable)


def _numbers(*names: str) -> tuple[sa.Column[int], ...]:
    return tuple(_number(name) for name in names)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _process() -> tuple[sa.Column[str] | sa.Column[int] | sa.Column[float], ...]:
    return (
        _text("host"),
        _text("boot_id"),
        _number("pid"),
        sa.Column("process_started", sa.Float(53), nullable=False),
    )
