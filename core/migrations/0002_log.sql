-- The transparency log. Leaves are appended in the transaction of the act and never changed; a
-- sequencer gives each its place in the tree afterwards, off the request path.
CREATE TABLE core.log_leaf (
    id                uuid        NOT NULL,
    recorded_at       timestamptz NOT NULL,
    event             text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid,
    operator          text,
    service_item      text,
    case_number       text,
    on_behalf_of      text,
    resource_code     text,
    grant_id          uuid,
    certificate_id    text,
    subject_hmac      bytea,
    body              text        NOT NULL,
    leaf_hash         bytea       NOT NULL,
    CONSTRAINT log_leaf_pk PRIMARY KEY (id)
);
CREATE INDEX log_leaf_case_idx ON core.log_leaf (case_number, recorded_at) WHERE case_number IS NOT NULL;
CREATE INDEX log_leaf_subject_idx ON core.log_leaf (subject_hmac, recorded_at) WHERE subject_hmac IS NOT NULL;
CREATE INDEX log_leaf_resource_idx ON core.log_leaf (resource_code, recorded_at);
CREATE INDEX log_leaf_recorded_idx ON core.log_leaf (recorded_at);

CREATE TABLE core.log_pending (
    position bigint GENERATED ALWAYS AS IDENTITY,
    leaf_id  uuid  NOT NULL,
    CONSTRAINT log_pending_pk PRIMARY KEY (position)
);

CREATE TABLE core.log_entry (
    leaf_index bigint NOT NULL,
    leaf_id    uuid   NOT NULL,
    leaf_hash  bytea  NOT NULL,
    CONSTRAINT log_entry_pk PRIMARY KEY (leaf_index),
    CONSTRAINT log_entry_leaf_unique UNIQUE (leaf_id)
);

-- Complete subtrees, so that proofs are read from a few rows however large the tree is.
CREATE TABLE core.log_node (
    level      integer NOT NULL,
    node_index bigint  NOT NULL,
    hash       bytea   NOT NULL,
    CONSTRAINT log_node_pk PRIMARY KEY (level, node_index)
);

CREATE TABLE core.log_checkpoint (
    tree_size bigint      NOT NULL,
    root_hash bytea       NOT NULL,
    note      text        NOT NULL,
    signed_at timestamptz NOT NULL,
    CONSTRAINT log_checkpoint_pk PRIMARY KEY (tree_size)
);
