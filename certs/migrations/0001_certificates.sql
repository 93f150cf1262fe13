-- Certificate types, seals in use, issued certificates and what became of them.
CREATE SCHEMA certs;

CREATE TABLE certs.certificate_type (
    code            text        NOT NULL,
    version         integer     NOT NULL,
    name            text        NOT NULL,
    defining_body   text        NOT NULL,
    defining_level  text        NOT NULL,
    holder_category text        NOT NULL,
    items           jsonb       NOT NULL,
    template        text,
    end_required    boolean     NOT NULL,
    max_years       integer,
    evidence        text        NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT certificate_type_pk PRIMARY KEY (code, version),
    CONSTRAINT certificate_type_version_positive CHECK (version > 0),
    CONSTRAINT certificate_type_holder_known CHECK (
        holder_category IN ('natural_person', 'legal_person', 'mixed', 'other')),
    CONSTRAINT certificate_type_evidence_known CHECK (evidence IN ('confirmed', 'observed', 'local'))
);

-- Which service items (事项) may use certificates of a type by function; `*` stands for all of them.
CREATE TABLE certs.type_service_item (
    type_code    text NOT NULL,
    service_item text NOT NULL,
    name         text NOT NULL DEFAULT '',
    CONSTRAINT type_service_item_pk PRIMARY KEY (type_code, service_item)
);

CREATE VIEW certs.described_type AS
SELECT t.*,
       NOT EXISTS (SELECT FROM certs.certificate_type n WHERE n.code = t.code AND n.version > t.version)
           AS is_newest,
       coalesce((SELECT jsonb_agg(jsonb_build_array(s.service_item, s.name) ORDER BY s.service_item)
                 FROM certs.type_service_item s WHERE s.type_code = t.code), '[]') AS service_items
FROM certs.certificate_type t;

CREATE TABLE certs.seal (
    id                 uuid        NOT NULL,
    organisation_code  text        NOT NULL,
    name               text        NOT NULL,
    seal_code          text        NOT NULL,
    kind               integer     NOT NULL,
    status             text        NOT NULL DEFAULT 'active',
    signer_key         text        NOT NULL,
    signer_certificate bytea       NOT NULL,
    maker_certificate  bytea       NOT NULL,
    picture_type       text        NOT NULL,
    picture_width_mm   integer     NOT NULL,
    picture_height_mm  integer     NOT NULL,
    der                bytea       NOT NULL,
    valid_from         timestamptz NOT NULL,
    valid_until        timestamptz NOT NULL,
    created_at         timestamptz NOT NULL,
    CONSTRAINT seal_pk PRIMARY KEY (id),
    CONSTRAINT seal_code_unique UNIQUE (seal_code),
    CONSTRAINT seal_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code),
    CONSTRAINT seal_status_known CHECK (status IN ('active', 'suspended', 'destroyed'))
);
CREATE UNIQUE INDEX seal_name_unique ON certs.seal (organisation_code, name) WHERE status <> 'destroyed';

CREATE TABLE certs.certificate (
    identifier       text        NOT NULL,
    type_code        text        NOT NULL,
    type_version     integer     NOT NULL,
    number           text        NOT NULL,
    version          integer     NOT NULL,
    holder_name      text        NOT NULL,
    holder_code      text        NOT NULL,
    holder_code_type text        NOT NULL,
    issuer_code      text        NOT NULL,
    issuer_name      text        NOT NULL,
    status           text        NOT NULL,
    predecessor      text,
    issued_on        date        NOT NULL,
    valid_from       date        NOT NULL,
    valid_until      date,
    data             jsonb       NOT NULL,
    qr_payload       text        NOT NULL,
    service_item     text,
    case_number      text,
    seal_id          uuid        NOT NULL,
    object_key       text        NOT NULL,
    size_bytes       bigint      NOT NULL,
    digest_sm3       bytea       NOT NULL,
    sealed_sm3       bytea       NOT NULL,
    created_at       timestamptz NOT NULL,
    CONSTRAINT certificate_pk PRIMARY KEY (identifier),
    CONSTRAINT certificate_type_fk FOREIGN KEY (type_code, type_version)
        REFERENCES certs.certificate_type (code, version),
    CONSTRAINT certificate_issuer_fk FOREIGN KEY (issuer_code) REFERENCES core.organisation (code),
    CONSTRAINT certificate_predecessor_fk FOREIGN KEY (predecessor) REFERENCES certs.certificate (identifier),
    CONSTRAINT certificate_predecessor_unique UNIQUE (predecessor),
    CONSTRAINT certificate_seal_fk FOREIGN KEY (seal_id) REFERENCES certs.seal (id),
    CONSTRAINT certificate_status_known CHECK (
        status IN ('not_activated', 'active', 'suspended', 'superseded', 'cancelled', 'revoked', 'withdrawn')),
    CONSTRAINT certificate_period CHECK (valid_until IS NULL OR valid_until >= valid_from)
);
CREATE INDEX certificate_holder_idx ON certs.certificate (holder_code, type_code);
CREATE INDEX certificate_number_idx ON certs.certificate (issuer_code, type_code, number);
CREATE INDEX certificate_digest_idx ON certs.certificate (digest_sm3);
CREATE INDEX certificate_sealed_idx ON certs.certificate (sealed_sm3);

CREATE VIEW certs.described_certificate AS
SELECT c.*, t.name AS type_name, s.identifier AS successor
FROM certs.certificate c
JOIN certs.certificate_type t ON t.code = c.type_code AND t.version = c.type_version
LEFT JOIN certs.certificate s ON s.predecessor = c.identifier;

CREATE TABLE certs.status_change (
    id                uuid        NOT NULL,
    identifier        text        NOT NULL,
    from_status       text,
    to_status         text        NOT NULL,
    reason            text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid        NOT NULL,
    changed_at        timestamptz NOT NULL,
    CONSTRAINT status_change_pk PRIMARY KEY (id),
    CONSTRAINT status_change_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier)
);
CREATE INDEX status_change_certificate_idx ON certs.status_change (identifier, changed_at);

CREATE TABLE certs.issue_request (
    system_id    uuid        NOT NULL,
    key          text        NOT NULL,
    body_sm3     bytea       NOT NULL,
    identifier   text        NOT NULL,
    requested_at timestamptz NOT NULL,
    CONSTRAINT issue_request_pk PRIMARY KEY (system_id, key),
    CONSTRAINT issue_request_certificate_fk FOREIGN KEY (identifier) REFERENCES certs.certificate (identifier)
);
