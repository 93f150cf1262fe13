-- The lake: which resources are followed into Delta Lake tables, how far, and by which hub process now.
CREATE TABLE subscriptions.lake_choice (
    resource_code text        NOT NULL,
    is_followed   boolean     NOT NULL,
    chosen_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT lake_choice_pk PRIMARY KEY (resource_code),
    CONSTRAINT lake_choice_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
);

-- `version` is the hub version that the table holds, `delta_version` the table's own number of the newest commit that
-- was made for a hub version. The lease belongs to one hub process and ends by itself.
CREATE TABLE subscriptions.lake_state (
    resource_code  text        NOT NULL,
    version        bigint,
    delta_version  bigint,
    rows           bigint,
    written_at     timestamptz,
    tended_at      timestamptz,
    vacuumed_until timestamptz,
    holder         uuid,
    leased_until   timestamptz,
    trouble        text,
    failures       integer     NOT NULL DEFAULT 0,
    retry_at       timestamptz,
    CONSTRAINT lake_state_pk PRIMARY KEY (resource_code),
    CONSTRAINT lake_state_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
);

-- Which commit of the table holds which hub version. `has_changes` is false where the version's changes are not in
-- that commit, because the table began with it as a whole.
CREATE TABLE subscriptions.lake_version (
    resource_code text        NOT NULL,
    version       bigint      NOT NULL,
    delta_version bigint      NOT NULL,
    changed_rows  bigint      NOT NULL,
    has_changes   boolean     NOT NULL,
    committed_at  timestamptz NOT NULL,
    written_at    timestamptz NOT NULL,
    CONSTRAINT lake_version_pk PRIMARY KEY (resource_code, version)
);
