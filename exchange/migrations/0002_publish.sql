-- Batches, the versions they made, and the rows that were refused.
CREATE TABLE exchange.batch (
    id              uuid        NOT NULL,
    resource_code   text        NOT NULL,
    system_id       uuid        NOT NULL,
    idempotency_key text        NOT NULL,
    body_sm3        bytea,
    mode            text        NOT NULL,
    state           text        NOT NULL,
    received_rows   bigint      NOT NULL DEFAULT 0,
    answer          jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    finished_at     timestamptz,
    CONSTRAINT batch_pk PRIMARY KEY (id),
    CONSTRAINT batch_idempotency_unique UNIQUE (system_id, resource_code, idempotency_key),
    CONSTRAINT batch_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code),
    CONSTRAINT batch_mode_known CHECK (mode IN ('upsert', 'delete', 'snapshot')),
    CONSTRAINT batch_state_known CHECK (state IN ('receiving', 'published', 'failed'))
);

CREATE TABLE exchange.version (
    resource_code  text        NOT NULL,
    version        bigint      NOT NULL,
    batch_id       uuid        NOT NULL,
    mode           text        NOT NULL,
    received_rows  bigint      NOT NULL,
    accepted_rows  bigint      NOT NULL,
    rejected_rows  bigint      NOT NULL,
    inserted_rows  bigint      NOT NULL,
    updated_rows   bigint      NOT NULL,
    unchanged_rows bigint      NOT NULL,
    deleted_rows   bigint      NOT NULL,
    missing_rows   bigint      NOT NULL DEFAULT 0,
    current_rows   bigint      NOT NULL,
    committed_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT version_pk PRIMARY KEY (resource_code, version),
    CONSTRAINT version_batch_unique UNIQUE (batch_id),
    CONSTRAINT version_batch_fk FOREIGN KEY (batch_id) REFERENCES exchange.batch (id),
    CONSTRAINT version_every_row_counted CHECK (received_rows = accepted_rows + rejected_rows)
);

CREATE TABLE exchange.reject (
    batch_id   uuid   NOT NULL,
    row_number bigint NOT NULL,
    original   text   NOT NULL,
    reasons    jsonb  NOT NULL,
    CONSTRAINT reject_pk PRIMARY KEY (batch_id, row_number),
    CONSTRAINT reject_batch_fk FOREIGN KEY (batch_id) REFERENCES exchange.batch (id)
);
