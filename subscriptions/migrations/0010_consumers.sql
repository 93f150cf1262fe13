-- Several named consumers of one subscription, each with a place of its own in the feed.
CREATE TABLE subscriptions.consumer (
    id               uuid        NOT NULL,
    subscription_id  uuid        NOT NULL,
    name             text        NOT NULL,
    snapshot_version bigint,
    acked_version    bigint      NOT NULL,
    acked_sequence   bigint      NOT NULL,
    acked_cursor     text        NOT NULL,
    acked_at         timestamptz,
    paused_at        timestamptz,
    pause_reason     text,
    created_at       timestamptz NOT NULL,
    CONSTRAINT consumer_pk PRIMARY KEY (id),
    CONSTRAINT consumer_name_unique UNIQUE (subscription_id, name),
    CONSTRAINT consumer_subscription_fk FOREIGN KEY (subscription_id)
        REFERENCES subscriptions.subscription (id),
    CONSTRAINT consumer_position_natural CHECK (acked_version >= 0 AND acked_sequence >= 0)
);

INSERT INTO subscriptions.consumer (id, subscription_id, name, snapshot_version, acked_version, acked_sequence,
    acked_cursor, acked_at, created_at)
SELECT gen_random_uuid(), id, 'default', snapshot_version, acked_version, acked_sequence, acked_cursor, acked_at,
    created_at
FROM subscriptions.subscription;

ALTER TABLE subscriptions.subscription
    DROP COLUMN snapshot_version,
    DROP COLUMN acked_version,
    DROP COLUMN acked_sequence,
    DROP COLUMN acked_cursor,
    DROP COLUMN acked_at,
    ADD COLUMN kind text NOT NULL DEFAULT 'changes',
    ADD CONSTRAINT subscription_kind_known CHECK (kind IN ('changes', 'leads'));
CREATE INDEX subscription_resource_idx ON subscriptions.subscription (resource_code);

-- What was handed over, with the hub's signed manifest and what the subscriber answered.
CREATE TABLE subscriptions.delivery (
    id               uuid        NOT NULL,
    consumer_id      uuid        NOT NULL,
    form             text        NOT NULL,
    from_cursor      text        NOT NULL,
    to_cursor        text        NOT NULL,
    from_version     bigint      NOT NULL,
    from_sequence    bigint      NOT NULL,
    to_version       bigint      NOT NULL,
    to_sequence      bigint      NOT NULL,
    rows             bigint      NOT NULL,
    bytes            bigint      NOT NULL,
    manifest         bytea       NOT NULL,
    receipt          bytea       NOT NULL,
    delivered_at     timestamptz NOT NULL,
    acknowledged_at  timestamptz,
    countersignature bytea,
    credential_id    uuid,
    CONSTRAINT delivery_pk PRIMARY KEY (id),
    CONSTRAINT delivery_consumer_fk FOREIGN KEY (consumer_id) REFERENCES subscriptions.consumer (id)
        ON DELETE CASCADE
);
CREATE INDEX delivery_consumer_idx ON subscriptions.delivery (consumer_id, delivered_at DESC);
CREATE INDEX delivery_open_idx ON subscriptions.delivery (consumer_id, to_version, to_sequence)
    WHERE acknowledged_at IS NULL;
