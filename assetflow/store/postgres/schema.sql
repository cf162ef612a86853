CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE asset_heads (
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    published_at BIGINT NOT NULL,
    schema_id BIGINT,
    PRIMARY KEY (environment, asset)
);
CREATE TABLE assets (
    uid BIGSERIAL NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    space TEXT COLLATE "C",
    PRIMARY KEY (uid),
    CONSTRAINT asset_spaces UNIQUE (key, space)
);
CREATE TABLE candidate_keys (
    version BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    keys TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (version, name)
);
CREATE TABLE changes (
    seq BIGSERIAL NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    PRIMARY KEY (seq)
);
CREATE TABLE check_results (
    version BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    code BIGINT NOT NULL,
    passed BIGINT NOT NULL,
    severity TEXT COLLATE "C" NOT NULL,
    blocking BIGINT NOT NULL,
    checked_at BIGINT NOT NULL,
    metadata TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C",
    PRIMARY KEY (version, name, code)
);
CREATE TABLE claims (
    fence BIGINT NOT NULL,
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinals BYTEA NOT NULL,
    PRIMARY KEY (fence, environment, asset)
);
CREATE INDEX claims_by_asset ON claims (environment, asset);
CREATE TABLE code_versions (
    id BIGSERIAL NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    components TEXT COLLATE "C" NOT NULL,
    sources TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT code_version_texts UNIQUE (version)
);
CREATE TABLE commits (
    generation BIGSERIAL NOT NULL,
    committed_at BIGINT NOT NULL,
    PRIMARY KEY (generation)
);
CREATE TABLE counters (
    id BIGSERIAL NOT NULL,
    generation BIGINT NOT NULL,
    version BIGINT NOT NULL,
    derivation BIGINT NOT NULL,
    event BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE deletions (
    version BIGSERIAL NOT NULL,
    marked_at BIGINT NOT NULL,
    deleted_at BIGINT,
    PRIMARY KEY (version)
);
CREATE TABLE derivation_inputs (
    derivation BIGINT NOT NULL,
    parameter TEXT COLLATE "C" NOT NULL,
    upstream BIGINT NOT NULL,
    sums BYTEA NOT NULL,
    ranges TEXT COLLATE "C" NOT NULL,
    partitions BIGINT NOT NULL,
    as_of BIGINT NOT NULL,
    PRIMARY KEY (derivation, parameter)
);
CREATE INDEX inputs_by_upstream ON derivation_inputs (upstream);
CREATE TABLE derivations (
    id BIGSERIAL NOT NULL,
    version BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    environment BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    code BIGINT NOT NULL,
    key BYTEA NOT NULL,
    run_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    committed_at BIGINT NOT NULL,
    generation BIGINT,
    reason TEXT COLLATE "C",
    retired BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX derivations_by_version ON derivations (version);
CREATE INDEX retired_derivations ON derivations (asset, code) WHERE retired = 1;
CREATE TABLE dynamic_keys (
    definition BIGINT NOT NULL,
    place BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    added_at BIGINT NOT NULL,
    run_id TEXT COLLATE "C",
    removed_at BIGINT,
    PRIMARY KEY (definition, place)
);
CREATE UNIQUE INDEX dynamic_keys_by_ordinal ON dynamic_keys (definition, ordinal);
CREATE TABLE dynamic_partitions (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    added BIGINT NOT NULL,
    revised BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT dynamic_partition_names UNIQUE (name)
);
CREATE TABLE edge_layouts (
    id BIGSERIAL NOT NULL,
    parameters TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE environments (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT environment_names UNIQUE (name)
);
CREATE TABLE events (
    seq BIGSERIAL NOT NULL,
    occurred_at BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    asset BIGINT,
    ordinal BIGINT,
    run_id TEXT COLLATE "C",
    payload TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (seq)
);
CREATE TABLE external_intents (
    version BIGSERIAL NOT NULL,
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    io_manager TEXT COLLATE "C" NOT NULL,
    publication TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE failures (
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    key BYTEA NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (environment, asset, ordinal)
);
CREATE TABLE leases (
    fence BIGSERIAL NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    environment BIGINT NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    process_started FLOAT(53) NOT NULL,
    claimed_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (fence)
);
CREATE TABLE observations (
    asset BIGSERIAL NOT NULL,
    tried_at BIGINT NOT NULL,
    observed_at BIGINT,
    error TEXT COLLATE "C",
    PRIMARY KEY (asset)
);
CREATE TABLE partition_keys (
    ordinal BIGSERIAL NOT NULL,
    key BYTEA NOT NULL,
    PRIMARY KEY (ordinal)
);
CREATE TABLE pins (
    id BIGSERIAL NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    environment BIGINT NOT NULL,
    version BIGINT,
    generation BIGINT,
    reason TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT pin_names UNIQUE (name)
);
CREATE TABLE pointer_log (
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    version BIGINT,
    derivation BIGINT,
    moved_at BIGINT NOT NULL,
    PRIMARY KEY (environment, asset, ordinal, generation)
);
CREATE TABLE pointers (
    environment BIGINT NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    version BIGINT NOT NULL,
    derivation BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    code BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    layout BIGINT NOT NULL,
    data_hash BYTEA NOT NULL,
    signatures BYTEA NOT NULL,
    PRIMARY KEY (environment, asset, ordinal)
);
CREATE TABLE pool_slots (
    id BIGSERIAL NOT NULL,
    pool TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    step TEXT COLLATE "C" NOT NULL,
    weight BIGINT NOT NULL,
    priority BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    granted_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX pool_slots_by_pool ON pool_slots (pool);
CREATE TABLE read_leases (
    id BIGSERIAL NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    process_started FLOAT(53) NOT NULL,
    versions BYTEA NOT NULL,
    taken_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE runs (
    id BIGSERIAL NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    environment BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    started_by TEXT COLLATE "C" NOT NULL,
    host TEXT COLLATE "C" NOT NULL,
    boot_id TEXT COLLATE "C" NOT NULL,
    pid BIGINT NOT NULL,
    process_started FLOAT(53) NOT NULL,
    plan TEXT COLLATE "C" NOT NULL,
    counts TEXT COLLATE "C" NOT NULL,
    error TEXT COLLATE "C",
    priority BIGINT NOT NULL,
    executor TEXT COLLATE "C" NOT NULL,
    workers BIGINT NOT NULL,
    cancel_asked_at BIGINT,
    PRIMARY KEY (id),
    CONSTRAINT run_ids UNIQUE (run_id)
);
CREATE TABLE schemas (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    arrow BYTEA NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT schema_digests UNIQUE (digest)
);
CREATE TABLE source_texts (
    id BIGSERIAL NOT NULL,
    digest BYTEA NOT NULL,
    content TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT source_text_digests UNIQUE (digest)
);
CREATE TABLE stage_intents (
    version BIGSERIAL NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    location TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE steps (
    run_id TEXT COLLATE "C" NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    queued_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    version BIGINT,
    error TEXT COLLATE "C",
    load_time BIGINT,
    compute_time BIGINT,
    stage_time BIGINT,
    check_time BIGINT,
    publish_time BIGINT,
    cpu_time BIGINT,
    peak_memory BIGINT,
    row_count BIGINT,
    byte_count BIGINT,
    call_size BIGINT,
    PRIMARY KEY (run_id, asset, ordinal, attempt)
);
CREATE TABLE versions (
    id BIGSERIAL NOT NULL,
    asset BIGINT NOT NULL,
    ordinal BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    published_at BIGINT,
    derivation BIGINT NOT NULL,
    data_hash BYTEA NOT NULL,
    empty BIGINT NOT NULL,
    io_manager TEXT COLLATE "C",
    storage TEXT COLLATE "C",
    location TEXT COLLATE "C",
    files TEXT COLLATE "C",
    inline TEXT COLLATE "C",
    row_count BIGINT,
    byte_count BIGINT,
    schema_id BIGINT,
    metadata TEXT COLLATE "C",
    PRIMARY KEY (id)
);
CREATE INDEX versions_by_partition ON versions (asset, ordinal);
CREATE INDEX partition_keys_by_text ON partition_keys USING hash (key);
CREATE INDEX edge_layouts_by_parameters ON edge_layouts USING hash (parameters);
INSERT INTO counters (id, generation, version, derivation, event, fence) VALUES (1, 0, 0, 0, 0, 0);
INSERT INTO alembic_version (version_num) VALUES ('0003');
