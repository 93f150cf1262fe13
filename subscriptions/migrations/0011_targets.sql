-- Where changes are pushed to, what is under way, and what could not be delivered.
CREATE TABLE subscriptions.target (
    id               uuid        NOT NULL,
    consumer_id      uuid        NOT NULL,
    kind             text        NOT NULL,
    address          jsonb       NOT NULL,
    secret           bytea,
    system_id        uuid        NOT NULL,
    service_item     text        NOT NULL,
    case_number      text        NOT NULL,
    operator         text        NOT NULL,
    batch_rows       integer     NOT NULL,
    state            text        NOT NULL DEFAULT 'active',
    state_reason     text,
    failures         integer     NOT NULL DEFAULT 0,
    first_failed_at  timestamptz,
    next_attempt_at  timestamptz NOT NULL DEFAULT now(),
    last_error       text,
    last_success_at  timestamptz,
    pending_key      uuid,
    pending_rows     integer,
    pending_sm3      text,
    lease_owner      uuid,
    lease_until      timestamptz,
    created_at       timestamptz NOT NULL,
    CONSTRAINT target_pk PRIMARY KEY (id),
    CONSTRAINT target_consumer_unique UNIQUE (consumer_id),
    CONSTRAINT target_consumer_fk FOREIGN KEY (consumer_id) REFERENCES subscriptions.consumer (id)
        ON DELETE CASCADE,
    CONSTRAINT target_kind_known CHECK (kind IN ('webhook', 'postgresql', 'mysql', 'directory', 's3')),
    CONSTRAINT target_state_known CHECK (state IN ('active', 'stopped'))
);
CREATE INDEX target_due_idx ON subscriptions.target (next_attempt_at) WHERE state = 'active';

CREATE TABLE subscriptions.dead_letter (
    id            uuid        NOT NULL,
    target_id     uuid        NOT NULL,
    message_key   uuid        NOT NULL,
    from_cursor   text        NOT NULL,
    first_version bigint      NOT NULL,
    first_sequence bigint     NOT NULL,
    last_version  bigint      NOT NULL,
    last_sequence bigint      NOT NULL,
    rows          integer     NOT NULL,
    attempts      integer     NOT NULL,
    reason        text        NOT NULL,
    parked_at     timestamptz NOT NULL,
    wanted_at     timestamptz,
    redriven_at   timestamptz,
    CONSTRAINT dead_letter_pk PRIMARY KEY (id),
    CONSTRAINT dead_letter_target_fk FOREIGN KEY (target_id) REFERENCES subscriptions.target (id)
        ON DELETE CASCADE
);
CREATE INDEX dead_letter_open_idx ON subscriptions.dead_letter (target_id, parked_at) WHERE redriven_at IS NULL;
