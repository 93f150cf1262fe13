-- Subscriptions to a resource's changes, and how far each has been acknowledged.
CREATE SCHEMA subscriptions;

CREATE TABLE subscriptions.subscription (
    id                uuid        NOT NULL,
    grant_id          uuid        NOT NULL,
    resource_code     text        NOT NULL,
    organisation_code text        NOT NULL,
    snapshot_version  bigint,
    acked_version     bigint      NOT NULL,
    acked_sequence    bigint      NOT NULL,
    acked_cursor      text        NOT NULL,
    created_at        timestamptz NOT NULL,
    acked_at          timestamptz,
    CONSTRAINT subscription_pk PRIMARY KEY (id),
    CONSTRAINT subscription_grant_fk FOREIGN KEY (grant_id) REFERENCES exchange.grant_ (id),
    CONSTRAINT subscription_position_natural CHECK (acked_version >= 0 AND acked_sequence >= 0)
);
CREATE INDEX subscription_organisation_idx ON subscriptions.subscription (organisation_code, created_at);
