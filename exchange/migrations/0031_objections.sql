-- Objections to values, and who holds which rows.
CREATE TABLE exchange.objection (
    id                uuid        NOT NULL,
    resource_code     text        NOT NULL,
    item              text        NOT NULL,
    row_key           text[]      NOT NULL,
    subject_hmac      bytea,
    row_digest        bytea       NOT NULL,
    seen_version      bigint      NOT NULL,
    organisation_code text        NOT NULL,
    grant_id          uuid        NOT NULL,
    claim             text        NOT NULL,
    basis             text        NOT NULL,
    state             text        NOT NULL,
    raised_at         timestamptz NOT NULL,
    due_at            timestamptz NOT NULL,
    escalated_at      timestamptz,
    escalated_to      text,
    closed_at         timestamptz,
    closing_reason    text,
    corrected_version bigint,
    CONSTRAINT objection_pk PRIMARY KEY (id),
    CONSTRAINT objection_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code),
    CONSTRAINT objection_state_known CHECK (state IN ('open', 'upheld', 'rejected', 'withdrawn'))
);
CREATE INDEX objection_open_idx ON exchange.objection (resource_code, row_key) WHERE state = 'open';
CREATE INDEX objection_organisation_idx ON exchange.objection (organisation_code, raised_at);
CREATE INDEX objection_overdue_idx ON exchange.objection (due_at) WHERE state = 'open' AND escalated_at IS NULL;

-- Which rows were given under which grant, where the log's leaf does not name them by their subject: rows
-- found by other items than their key, or whose key is no personal or firm number.
CREATE TABLE exchange.row_holder (
    resource_code text        NOT NULL,
    row_digest    bytea       NOT NULL,
    grant_id      uuid        NOT NULL,
    version       bigint      NOT NULL,
    items         text[]      NOT NULL,
    CONSTRAINT row_holder_pk PRIMARY KEY (resource_code, row_digest, grant_id, version)
);

-- Corrections that organisations holding an old value are due.
CREATE TABLE exchange.correction (
    id                uuid        NOT NULL,
    objection_id      uuid        NOT NULL,
    organisation_code text        NOT NULL,
    grant_id          uuid        NOT NULL,
    basis             text        NOT NULL,
    created_at        timestamptz NOT NULL,
    read_at           timestamptz,
    CONSTRAINT correction_pk PRIMARY KEY (id),
    CONSTRAINT correction_once UNIQUE (objection_id, grant_id),
    CONSTRAINT correction_objection_fk FOREIGN KEY (objection_id) REFERENCES exchange.objection (id),
    CONSTRAINT correction_basis_known CHECK (basis IN ('query', 'verify', 'subscription'))
);
CREATE INDEX correction_organisation_idx ON exchange.correction (organisation_code, created_at);
