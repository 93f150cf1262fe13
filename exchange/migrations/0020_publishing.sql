-- Publishing in full: kinds of file, progress, flags, tickets, quality, accounting, uploads, single rows.
ALTER TABLE exchange.batch
    ADD COLUMN media_type text NOT NULL DEFAULT 'text/csv',
    ADD COLUMN charset    text,
    ADD COLUMN problem    jsonb;
CREATE INDEX batch_resource_idx ON exchange.batch (resource_code, created_at);

-- How far batches are; written outside their transactions, and worth nothing after a crash.
CREATE UNLOGGED TABLE exchange.batch_progress (
    batch_id   uuid        NOT NULL,
    phase      text        NOT NULL,
    rows       bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT batch_progress_pk PRIMARY KEY (batch_id)
);

ALTER TABLE exchange.version ADD COLUMN flagged_rows bigint NOT NULL DEFAULT 0;

-- A refused row is a ticket: it is closed by the batch that brought the row mended.
ALTER TABLE exchange.reject
    ADD COLUMN resource_code text,
    ADD COLUMN key_text      text,
    ADD COLUMN closed_by     uuid,
    ADD COLUMN closed_at     timestamptz;
UPDATE exchange.reject r SET resource_code = b.resource_code FROM exchange.batch b WHERE b.id = r.batch_id;
CREATE INDEX reject_open_idx ON exchange.reject (resource_code, key_text) WHERE closed_at IS NULL;

-- Rows that were taken although they break a rule that only marks.
CREATE TABLE exchange.flag (
    batch_id      uuid   NOT NULL,
    row_number    bigint NOT NULL,
    original      text   NOT NULL,
    reasons       jsonb  NOT NULL,
    resource_code text   NOT NULL,
    key_text      text,
    CONSTRAINT flag_pk PRIMARY KEY (batch_id, row_number),
    CONSTRAINT flag_batch_fk FOREIGN KEY (batch_id) REFERENCES exchange.batch (id)
);

-- What each batch says of its resource's quality.
CREATE TABLE exchange.quality (
    batch_id      uuid        NOT NULL,
    resource_code text        NOT NULL,
    received_rows bigint      NOT NULL,
    flagged_rows  bigint      NOT NULL,
    rejected_rows bigint      NOT NULL,
    rows_by_reason jsonb      NOT NULL,
    measured_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT quality_pk PRIMARY KEY (batch_id),
    CONSTRAINT quality_batch_fk FOREIGN KEY (batch_id) REFERENCES exchange.batch (id)
);
CREATE INDEX quality_resource_idx ON exchange.quality (resource_code, measured_at);

CREATE TABLE exchange.quality_rule (
    resource_code text    NOT NULL,
    position      integer NOT NULL,
    kind          text    NOT NULL,
    items         text[]  NOT NULL,
    severity      text    NOT NULL,
    "values"      text[]  NOT NULL DEFAULT '{}',
    target        text,
    CONSTRAINT quality_rule_pk PRIMARY KEY (resource_code, position),
    CONSTRAINT quality_rule_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
        ON DELETE CASCADE,
    CONSTRAINT quality_rule_severity_known CHECK (severity IN ('reject', 'flag'))
);

-- Rows and digest of a version at each station that it passed.
CREATE TABLE exchange.station_count (
    resource_code text        NOT NULL,
    version       bigint      NOT NULL,
    station       text        NOT NULL,
    rows          bigint      NOT NULL,
    sum           bytea       NOT NULL,
    counted_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT station_count_pk PRIMARY KEY (resource_code, version, station),
    CONSTRAINT station_count_sum_width CHECK (octet_length(sum) = 256)
);

-- Uploads that may be interrupted; their bytes lie in the object store.
CREATE TABLE exchange.upload (
    id             uuid        NOT NULL,
    resource_code  text        NOT NULL,
    system_id      uuid        NOT NULL,
    media_type     text        NOT NULL,
    charset        text,
    content_coding text,
    length_bytes   bigint,
    offset_bytes   bigint      NOT NULL DEFAULT 0,
    expires_at     timestamptz NOT NULL,
    CONSTRAINT upload_pk PRIMARY KEY (id),
    CONSTRAINT upload_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
);
CREATE TABLE exchange.upload_part (
    upload_id    uuid   NOT NULL,
    offset_bytes bigint NOT NULL,
    size_bytes   bigint NOT NULL,
    object_key   text   NOT NULL,
    CONSTRAINT upload_part_pk PRIMARY KEY (upload_id, offset_bytes),
    CONSTRAINT upload_part_upload_fk FOREIGN KEY (upload_id) REFERENCES exchange.upload (id) ON DELETE CASCADE
);

-- Answers to single-row writes, for requests that come twice.
CREATE TABLE exchange.row_write (
    system_id       uuid        NOT NULL,
    resource_code   text        NOT NULL,
    idempotency_key text        NOT NULL,
    body_sm3        bytea       NOT NULL,
    answer          jsonb       NOT NULL,
    written_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT row_write_pk PRIMARY KEY (system_id, resource_code, idempotency_key)
);
CREATE INDEX row_write_time_idx ON exchange.row_write (written_at);
