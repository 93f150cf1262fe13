-- Annotated copies, one-time downloads, authorisations to use, and presentations.
-- Service items (or `*`) whose cases get annotated copies of a type by function, never the original.
CREATE TABLE certs.copies_only (
    type_code    text NOT NULL,
    service_item text NOT NULL,
    CONSTRAINT copies_only_pk PRIMARY KEY (type_code, service_item)
);

CREATE TABLE certs.authorisation (
    id                uuid        NOT NULL,
    code_sm3          bytea       NOT NULL,
    mode              text        NOT NULL,
    identifier        text        NOT NULL,
    organisation_code text        NOT NULL,
    service_item      text        NOT NULL,
    case_number       text        NOT NULL,
    original          boolean     NOT NULL,
    max_uses          integer     NOT NULL,
    uses              integer     NOT NULL DEFAULT 0,
    granted_by        uuid        NOT NULL,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    revoked_at        timestamptz,
    reason            text,
    CONSTRAINT authorisation_pk PRIMARY KEY (id),
    CONSTRAINT authorisation_code_unique UNIQUE (code_sm3),
    CONSTRAINT authorisation_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier),
    CONSTRAINT authorisation_mode_known CHECK (mode IN ('function', 'holder', 'delegation')),
    CONSTRAINT authorisation_uses CHECK (uses BETWEEN 0 AND max_uses)
);
CREATE INDEX authorisation_certificate_idx ON certs.authorisation (identifier, created_at);

CREATE TABLE certs.delegation (
    id                 uuid        NOT NULL,
    identifier         text        NOT NULL,
    delegate_code      text        NOT NULL,
    delegate_code_type text        NOT NULL,
    granted_by         uuid        NOT NULL,
    created_at         timestamptz NOT NULL,
    expires_at         timestamptz NOT NULL,
    revoked_at         timestamptz,
    CONSTRAINT delegation_pk PRIMARY KEY (id),
    CONSTRAINT delegation_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier)
);
CREATE INDEX delegation_idx ON certs.delegation (identifier, delegate_code);

CREATE TABLE certs.annotated_copy (
    id                uuid        NOT NULL,
    identifier        text        NOT NULL,
    maker_code        text        NOT NULL,
    maker_name        text        NOT NULL,
    cause             text        NOT NULL,
    service_item      text        NOT NULL,
    case_number       text        NOT NULL,
    operator          text        NOT NULL,
    made_at           timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    seal_id           uuid        NOT NULL,
    object_key        text        NOT NULL,
    size_bytes        bigint      NOT NULL,
    digest_sm3        bytea       NOT NULL,
    sealed_sm3        bytea       NOT NULL,
    CONSTRAINT annotated_copy_pk PRIMARY KEY (id),
    CONSTRAINT annotated_copy_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier),
    CONSTRAINT annotated_copy_seal_fk FOREIGN KEY (seal_id) REFERENCES certs.seal (id),
    CONSTRAINT annotated_copy_period CHECK (expires_at > made_at)
);
CREATE INDEX annotated_copy_certificate_idx ON certs.annotated_copy (identifier, made_at);
CREATE INDEX annotated_copy_object_idx ON certs.annotated_copy (object_key);
CREATE INDEX annotated_copy_digest_idx ON certs.annotated_copy (digest_sm3);

CREATE TABLE certs.download_ticket (
    token_sm3  bytea       NOT NULL,
    copy_id    uuid        NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT download_ticket_pk PRIMARY KEY (token_sm3),
    CONSTRAINT download_ticket_copy_fk FOREIGN KEY (copy_id) REFERENCES certs.annotated_copy (id)
);

CREATE TABLE certs.presentation (
    id                uuid        NOT NULL,
    code_sm3          bytea       NOT NULL,
    identifier        text        NOT NULL,
    status            text        NOT NULL,
    shown_by          uuid        NOT NULL,
    shown_at          timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    scanned_by        text,
    scanned_at        timestamptz,
    service_item      text,
    case_number       text,
    operator          text,
    closed_at         timestamptz,
    CONSTRAINT presentation_pk PRIMARY KEY (id),
    CONSTRAINT presentation_code_unique UNIQUE (code_sm3),
    CONSTRAINT presentation_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier),
    CONSTRAINT presentation_status_known CHECK (
        status IN ('shown', 'scanned', 'confirmed', 'declined', 'released'))
);

CREATE VIEW certs.owned_object AS
SELECT object_key FROM certs.certificate UNION ALL SELECT object_key FROM certs.annotated_copy;
