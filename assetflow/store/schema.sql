CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE asset_heads (
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    schema_id INTEGER,
    PRIMARY KEY (environment, asset)
)
 WITHOUT ROWID;
CREATE TABLE assets (
    uid INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    space TEXT,
    PRIMARY KEY (uid),
    CONSTRAINT asset_spaces UNIQUE ("key", space)
);
CREATE TABLE candidate_keys (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    keys TEXT NOT NULL,
    PRIMARY KEY (version, name)
)
 WITHOUT ROWID;
CREATE TABLE changes (
    seq INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (seq)
);
CREATE TABLE check_results (
    version INTEGER NOT NULL,
    name TEXT NOT NULL,
    code INTEGER NOT NULL,
    passed INTEGER NOT NULL,
    severity TEXT NOT NULL,
    blocking INTEGER NOT NULL,
    checked_at INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    error TEXT,
    PRIMARY KEY (version, name, code)
)
 WITHOUT ROWID;
CREATE TABLE claims (
    fence INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinals BLOB NOT NULL,
    PRIMARY KEY (fence, environment, asset)
)
 WITHOUT ROWID;
CREATE INDEX claims_by_asset ON claims (environment, asset);
CREATE TABLE code_versions (
    id INTEGER NOT NULL,
    version TEXT NOT NULL,
    components TEXT NOT NULL,
    sources TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT code_version_texts UNIQUE (version)
);
CREATE TABLE commits (
    generation INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    PRIMARY KEY (generation)
);
CREATE TABLE counters (
    id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    version INTEGER NOT NULL,
    derivation INTEGER NOT NULL,
    event INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE deletions (
    version INTEGER NOT NULL,
    marked_at INTEGER NOT NULL,
    deleted_at INTEGER,
    PRIMARY KEY (version)
);
CREATE TABLE derivation_inputs (
    derivation INTEGER NOT NULL,
    parameter TEXT NOT NULL,
    upstream INTEGER NOT NULL,
    sums BLOB NOT NULL,
    ranges TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    as_of INTEGER NOT NULL,
    PRIMARY KEY (derivation, parameter)
)
 WITHOUT ROWID;
CREATE INDEX inputs_by_upstream ON derivation_inputs (upstream);
CREATE TABLE derivations (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    kind TEXT NOT NULL,
    code INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    run_id TEXT,
    created_at INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    generation INTEGER,
    reason TEXT,
    retired INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX derivations_by_version ON derivations (version);
CREATE INDEX retired_derivations ON derivations (asset, code) WHERE retired = 1;
CREATE TABLE dynamic_keys (
    definition INTEGER NOT NULL,
    place INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    added_at INTEGER NOT NULL,
    run_id TEXT,
    removed_at INTEGER,
    PRIMARY KEY (definition, place)
)
 WITHOUT ROWID;
CREATE UNIQUE INDEX dynamic_keys_by_ordinal ON dynamic_keys (definition, ordinal);
CREATE TABLE dynamic_partitions (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    added INTEGER NOT NULL,
    revised INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT dynamic_partition_names UNIQUE (name)
);
CREATE TABLE edge_layouts (
    id INTEGER NOT NULL,
    parameters TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT edge_layout_parameters UNIQUE (parameters)
);
CREATE TABLE environments (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT environment_names UNIQUE (name)
);
CREATE TABLE events (
    seq INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    asset INTEGER,
    ordinal INTEGER,
    run_id TEXT,
    payload TEXT NOT NULL,
    PRIMARY KEY (seq)
);
CREATE TABLE external_intents (
    version INTEGER NOT NULL,
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    io_manager TEXT NOT NULL,
    publication TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE failures (
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    "key" BLOB NOT NULL,
    run_id TEXT NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (environment, asset, ordinal)
)
 WITHOUT ROWID;
CREATE TABLE leases (
    fence INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    environment INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started FLOAT NOT NULL,
    claimed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (fence)
);
CREATE TABLE observations (
    asset INTEGER NOT NULL,
    tried_at INTEGER NOT NULL,
    observed_at INTEGER,
    error TEXT,
    PRIMARY KEY (asset)
)
 WITHOUT ROWID;
CREATE TABLE partition_keys (
    ordinal INTEGER NOT NULL,
    "key" TEXT NOT NULL,
    PRIMARY KEY (ordinal),
    CONSTRAINT partition_key_texts UNIQUE ("key")
);
CREATE TABLE pins (
    id INTEGER NOT NULL,
    name TEXT NOT NULL,
    environment INTEGER NOT NULL,
    version INTEGER,
    generation INTEGER,
    reason TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT pin_names UNIQUE (name)
);
CREATE TABLE pointer_log (
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    version INTEGER,
    derivation INTEGER,
    moved_at INTEGER NOT NULL,
    PRIMARY KEY (environment, asset, ordinal, generation)
)
 WITHOUT ROWID;
CREATE TABLE pointers (
    environment INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    version INTEGER NOT NULL,
    derivation INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    code INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    layout INTEGER NOT NULL,
    data_hash BLOB NOT NULL,
    signatures BLOB NOT NULL,
    PRIMARY KEY (environment, asset, ordinal)
)
 WITHOUT ROWID;
CREATE TABLE pool_slots (
    id INTEGER NOT NULL,
    pool TEXT NOT NULL,
    fence INTEGER NOT NULL,
    step TEXT NOT NULL,
    weight INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    granted_at INTEGER,
    PRIMARY KEY (id)
);
CREATE INDEX pool_slots_by_pool ON pool_slots (pool);
CREATE TABLE read_leases (
    id INTEGER NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started FLOAT NOT NULL,
    versions BLOB NOT NULL,
    taken_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE runs (
    id INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    environment INTEGER NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    started_by TEXT NOT NULL,
    host TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started FLOAT NOT NULL,
    "plan" TEXT NOT NULL,
    counts TEXT NOT NULL,
    error TEXT,
    priority INTEGER NOT NULL,
    executor TEXT NOT NULL,
    workers INTEGER NOT NULL,
    cancel_asked_at INTEGER,
    PRIMARY KEY (id),
    CONSTRAINT run_ids UNIQUE (run_id)
);
CREATE TABLE schemas (
    id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    arrow BLOB NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT schema_digests UNIQUE (digest)
);
CREATE TABLE source_texts (
    id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT source_text_digests UNIQUE (digest)
);
CREATE TABLE stage_intents (
    version INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    location TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE steps (
    run_id TEXT NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    version INTEGER,
    error TEXT,
    load_time INTEGER,
    compute_time INTEGER,
    stage_time INTEGER,
    check_time INTEGER,
    publish_time INTEGER,
    cpu_time INTEGER,
    peak_memory INTEGER,
    row_count INTEGER,
    byte_count INTEGER,
    call_size INTEGER,
    PRIMARY KEY (run_id, asset, ordinal, attempt)
)
 WITHOUT ROWID;
CREATE TABLE versions (
    id INTEGER NOT NULL,
    asset INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    state TEXT NOT NULL,
    run_id TEXT,
    created_at INTEGER NOT NULL,
    published_at INTEGER,
    derivation INTEGER NOT NULL,
    data_hash BLOB NOT NULL,
    empty INTEGER NOT NULL,
    io_manager TEXT,
    storage TEXT,
    location TEXT,
    files TEXT,
    inline TEXT,
    row_count INTEGER,
    byte_count INTEGER,
    schema_id INTEGER,
    metadata TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX versions_by_partition ON versions (asset, ordinal);
INSERT INTO counters (id, generation, version, derivation, event, fence) VALUES (1, 0, 0, 0, 0, 0);
INSERT INTO alembic_version (version_num) VALUES ('0003');
