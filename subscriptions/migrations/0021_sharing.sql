-- Delta Sharing: the profiles that a grant of mode bulk is read by, and the files made for what grants may see.
CREATE TABLE subscriptions.share_profile (
    id                uuid        NOT NULL,
    grant_id          uuid        NOT NULL,
    resource_code     text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid        NOT NULL,
    token_hash        bytea       NOT NULL,
    service_item      text        NOT NULL,
    case_number       text        NOT NULL,
    operator          text        NOT NULL,
    on_behalf_of      text,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    revoked_at        timestamptz,
    used_at           timestamptz,
    CONSTRAINT share_profile_pk PRIMARY KEY (id),
    CONSTRAINT share_profile_token_unique UNIQUE (token_hash),
    CONSTRAINT share_profile_grant_fk FOREIGN KEY (grant_id) REFERENCES exchange.grant_ (id)
);
CREATE INDEX share_profile_organisation_idx ON subscriptions.share_profile (organisation_code, created_at);

-- A file of the lake as one view of it (items, rows and masks of a grant) shows it. `rows` 0: there is no object.
CREATE TABLE subscriptions.shared_file (
    view       bytea       NOT NULL,
    source     text        NOT NULL,
    object_key text        NOT NULL,
    rows       bigint      NOT NULL,
    size_bytes bigint      NOT NULL,
    stats      jsonb       NOT NULL,
    used_at    timestamptz NOT NULL,
    CONSTRAINT shared_file_pk PRIMARY KEY (view, source)
);
CREATE INDEX shared_file_used_idx ON subscriptions.shared_file (used_at);
