"""The tables of the newest schema, for migrations and administration; hot paths never import this module.

Times are microseconds since 1970 UTC; hashes, signatures and keys 16 bytes; JSON is text; flags are 0 or 1.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, SchemaItem

REVISION = "0003"
"""The newest migration, which these tables are the result of."""

FIRST_COUNTERS = "INSERT INTO counters (id, generation, version, derivation, event, fence) VALUES (1, 0, 0, 0, 0, 0)"

# A row of an ordinary index of Postgres has room for 2,700 octets. Who writes sees to it that the texts are unique.
LONG_TEXTS = (
    "CREATE INDEX partition_keys_by_text ON partition_keys USING hash (key)",
    "CREATE INDEX edge_layouts_by_parameters ON edge_layouts USING hash (parameters)",
)

metadata = MetaData()

# In Postgres, texts sort as in SQLite, whatever the database's language is.
Words = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
# Postgres has no text with a NUL in it, which a partition key may have.
KeyText = Text().with_variant(postgresql.BYTEA(), "postgresql")

# SQLite makes a column the row id, which is what keeps these tables compact, only when its type reads INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")


def number(name: str, *, nullable: bool = False) -> Column[int]:
    """A 64-bit integer column."""
    return Column(name, Number, nullable=nullable)


def words(name: str, *, nullable: bool = False) -> Column[str]:
    """A text column."""
    return Column(name, Words, nullable=nullable)


def octets(name: str, *, nullable: bool = False) -> Column[bytes]:
    """A bytes column."""
    return Column(name, LargeBinary, nullable=nullable)


def entity(name: str, key: str, *items: SchemaItem) -> Table:
    """A table with an integer key."""
    return Table(name, metadata, Column(key, Number), *items, PrimaryKeyConstraint(key))


def relation(name: str, key: tuple[str, ...], *items: SchemaItem) -> Table:
    """A table that is stored in the order of its key."""
    return Table(name, metadata, *items, PrimaryKeyConstraint(*key), sqlite_with_rowid=False)


# Revisions are numbers with four digits; the name is alembic's.
alembic_version = Table(
    "alembic_version",
    metadata,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# One row, locked by every commit, so that numbers are given out in the order of commits.
counters = entity(
    "counters",
    "id",
    number("generation"),
    number("version"),
    number("derivation"),
    number("event"),
    number("fence"),
)

environments = entity(
    "environments", "id", words("name"), number("created_at"), UniqueConstraint("name", name="environment_names")
)
# An asset has one uid for each space that its ordinals were ever in; the space is null until the asset is opened again.
assets = entity(
    "assets",
    "uid",
    words("key"),
    words("space", nullable=True),
    UniqueConstraint("key", "space", name="asset_spaces"),
)
partition_keys = entity(
    "partition_keys",
    "ordinal",
    Column("key", KeyText, nullable=False),
    UniqueConstraint("key", name="partition_key_texts").ddl_if(dialect="sqlite"),
)

# Sets of keys by name. ``added`` counts the rows of ``dynamic_keys``, ``revised`` how often one of them was removed or
# came back: both only grow, so that a reader who kept them knows what it has to read.
dynamic_partitions = entity(
    "dynamic_partitions",
    "id",
    words("name"),
    number("added"),
    number("revised"),
    UniqueConstraint("name", name="dynamic_partition_names"),
)
# A key keeps its row, and so its place in the order, when it is removed and when it comes back.
dynamic_keys = relation(
    "dynamic_keys",
    ("definition", "place"),
    number("definition"),
    number("place"),
    number("ordinal"),
    number("added_at"),
    words("run_id", nullable=True),
    number("removed_at", nullable=True),
    Index("dynamic_keys_by_ordinal", "definition", "ordinal", unique=True),
)
# What a quarantined version adds to dynamic partitions once it is published.
candidate_keys = relation("candidate_keys", ("version", "name"), number("version"), words("name"), words("keys"))

code_versions = entity(
    "code_versions",
    "id",
    words("version"),
    words("components"),
    words("sources"),
    UniqueConstraint("version", name="code_version_texts"),
)
source_texts = entity(
    "source_texts", "id", octets("digest"), words("content"), UniqueConstraint("digest", name="source_text_digests")
)
edge_layouts = entity(
    "edge_layouts",
    "id",
    words("parameters"),
    UniqueConstraint("parameters", name="edge_layout_parameters").ddl_if(dialect="sqlite"),
)
schemas = entity("schemas", "id", octets("digest"), octets("arrow"), UniqueConstraint("digest", name="schema_digests"))

versions = entity(
    "versions",
    "id",
    number("asset"),
    number("ordinal"),
    words("state"),
    words("run_id", nullable=True),
    number("created_at"),
    number("published_at", nullable=True),
    number("derivation"),
    octets("data_hash"),
    number("empty"),
    words("io_manager", nullable=True),
    words("storage", nullable=True),
    words("location", nullable=True),
    words("files", nullable=True),
    words("inline", nullable=True),
    number("row_count", nullable=True),
    number("byte_count", nullable=True),
    number("schema_id", nullable=True),
    words("metadata", nullable=True),
    Index("versions_by_partition", "asset", "ordinal"),
)
derivations = entity(
    "derivations",
    "id",
    number("version"),
    number("asset"),
    number("ordinal"),
    number("environment"),
    words("kind"),
    number("code"),
    octets("key"),
    words("run_id", nullable=True),
    number("created_at"),
    number("committed_at"),
    number("generation", nullable=True),
    words("reason", nullable=True),
    number("retired"),
    Index("derivations_by_version", "version"),
    # The derivations that no pointer has any more (or never had) and that could be published again.
    Index(
        "retired_derivations", "asset", "code", sqlite_where=text("retired = 1"), postgresql_where=text("retired = 1")
    ),
)
derivation_inputs = relation(
    "derivation_inputs",
    ("derivation", "parameter"),
    number("derivation"),
    words("parameter"),
    number("upstream"),
    octets("sums"),
    words("ranges"),
    number("partitions"),
    number("as_of"),
    Index("inputs_by_upstream", "upstream"),
)

# Environment 0 holds the observations of sources. Covering: what a plan needs is read from here alone.
pointers = relation(
    "pointers",
    ("environment", "asset", "ordinal"),
    number("environment"),
    number("asset"),
    number("ordinal"),
    number("version"),
    number("derivation"),
    number("generation"),
    number("code"),
    number("flags"),
    number("layout"),
    octets("data_hash"),
    octets("signatures"),
)
pointer_log = relation(
    "pointer_log",
    ("environment", "asset", "ordinal", "generation"),
    number("environment"),
    number("asset"),
    number("ordinal"),
    number("generation"),
    number("version", nullable=True),
    number("derivation", nullable=True),
    number("moved_at"),
)
# When the last commit of each transaction was made: what time travel to a time is answered with.
commits = entity("commits", "generation", number("committed_at"))
asset_heads = relation(
    "asset_heads",
    ("environment", "asset"),
    number("environment"),
    number("asset"),
    number("generation"),
    number("published_at"),
    number("schema_id", nullable=True),
)
observations = relation(
    "observations",
    ("asset",),
    number("asset"),
    number("tried_at"),
    number("observed_at", nullable=True),
    words("error", nullable=True),
)
failures = relation(
    "failures",
    ("environment", "asset", "ordinal"),
    number("environment"),
    number("asset"),
    number("ordinal"),
    octets("key"),
    words("run_id"),
    words("error"),
)
check_results = relation(
    "check_results",
    ("version", "name", "code"),
    number("version"),
    words("name"),
    number("code"),
    number("passed"),
    words("severity"),
    number("blocking"),
    number("checked_at"),
    words("metadata"),
    words("error", nullable=True),
)
stage_intents = entity(
    "stage_intents",
    "version",
    number("asset"),
    number("ordinal"),
    words("run_id"),
    words("location"),
    number("created_at"),
)

runs = entity(
    "runs",
    "id",
    words("run_id"),
    number("environment"),
    words("status"),
    number("started_at"),
    number("ended_at", nullable=True),
    words("started_by"),
    words("host"),
    words("boot_id"),
    number("pid"),
    Column("process_started", Float(53), nullable=False),
    words("plan"),
    words("counts"),
    words("error", nullable=True),
    number("priority"),
    words("executor"),
    number("workers"),
    number("cancel_asked_at", nullable=True),
    UniqueConstraint("run_id", name="run_ids"),
)
steps = relation(
    "steps",
    ("run_id", "asset", "ordinal", "attempt"),
    words("run_id"),
    number("asset"),
    number("ordinal"),
    number("attempt"),
    words("status"),
    number("queued_at"),
    number("started_at"),
    number("ended_at"),
    number("version", nullable=True),
    words("error", nullable=True),
    number("load_time", nullable=True),
    number("compute_time", nullable=True),
    number("stage_time", nullable=True),
    number("check_time", nullable=True),
    number("publish_time", nullable=True),
    number("cpu_time", nullable=True),
    number("peak_memory", nullable=True),
    number("row_count", nullable=True),
    number("byte_count", nullable=True),
    number("call_size", nullable=True),
)
events = entity(
    "events",
    "seq",
    number("occurred_at"),
    words("kind"),
    number("asset", nullable=True),
    number("ordinal", nullable=True),
    words("run_id", nullable=True),
    words("payload"),
)
# Who may publish. The key is the fence: it rises at each claim, and a publication under a lease that is gone or has
# expired is refused.
leases = entity(
    "leases",
    "fence",
    words("run_id"),
    number("environment"),
    words("host"),
    words("boot_id"),
    number("pid"),
    Column("process_started", Float(53), nullable=False),
    number("claimed_at"),
    number("expires_at"),
)
# What each lease is about: of an asset, the ordinals as a serialised bitmap.
claims = relation(
    "claims",
    ("fence", "environment", "asset"),
    number("fence"),
    number("environment"),
    number("asset"),
    octets("ordinals"),
    Index("claims_by_asset", "environment", "asset"),
)
# Slots of pools that steps hold or wait for; those of a lease that is gone or has expired are free.
pool_slots = entity(
    "pool_slots",
    "id",
    words("pool"),
    number("fence"),
    words("step"),
    number("weight"),
    number("priority"),
    number("asked_at"),
    number("granted_at", nullable=True),
    Index("pool_slots_by_pool", "pool"),
)
# What stays readable whatever retention says: a version, or everything as of a generation of an environment.
pins = entity(
    "pins",
    "id",
    words("name"),
    number("environment"),
    number("version", nullable=True),
    number("generation", nullable=True),
    words("reason", nullable=True),
    number("created_at"),
    UniqueConstraint("name", name="pin_names"),
)
# Versions that retention lets go of: deleted for good once the grace after ``marked_at`` is over.
deletions = entity("deletions", "version", number("marked_at"), number("deleted_at", nullable=True))
# Versions that somebody reads lazily.
read_leases = entity(
    "read_leases",
    "id",
    words("host"),
    words("boot_id"),
    number("pid"),
    Column("process_started", Float(53), nullable=False),
    octets("versions"),
    number("taken_at"),
    number("expires_at"),
)
# What is on its way to a target outside our files, until the target itself says that it is there.
external_intents = entity(
    "external_intents",
    "version",
    number("environment"),
    number("asset"),
    number("ordinal"),
    words("run_id"),
    words("io_manager"),
    words("publication"),
    number("created_at"),
)
# What changes the planner's state without a derivation, in the order of commits.
changes = entity("changes", "seq", number("asset"), number("ordinal"), number("changed_at"))


def sqlite_ddl() -> str:
    """The text of ``schema.sql``: a new store in full, one statement after the other, each ended by ``;``."""
    return _ddl(sqlite.dialect(), ())


def postgres_ddl() -> str:
    """The same for ``postgres/schema.sql``."""
    return _ddl(postgresql.dialect(), LONG_TEXTS)


def _ddl(dialect: Dialect, more: Sequence[str]) -> str:
    statements: list[str] = []
    for table in metadata.sorted_tables:
        statements.append(str(CreateTable(table).compile(dialect=dialect)))
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
    statements += [*more, FIRST_COUNTERS, f"INSERT INTO alembic_version (version_num) VALUES ('{REVISION}')"]
    lines = "\n".join(statement.strip() + ";" for statement in statements)
    return "".join(line.rstrip().replace("\t", "    ") + "\n" for line in lines.splitlines())
