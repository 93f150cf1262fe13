-- What certificates rest on, and objects that no certificate owns yet.
CREATE TABLE certs.certificate_source (
    identifier    text    NOT NULL,
    resource_code text    NOT NULL,
    version       integer NOT NULL,
    row_sm3       bytea   NOT NULL,
    CONSTRAINT certificate_source_pk PRIMARY KEY (identifier, resource_code),
    CONSTRAINT certificate_source_certificate_fk FOREIGN KEY (identifier)
        REFERENCES certs.certificate (identifier)
);

-- An object without a row may belong to an issue under way; only one that stays so is removed.
CREATE TABLE certs.orphan_candidate (
    object_key text        NOT NULL,
    seen_at    timestamptz NOT NULL,
    CONSTRAINT orphan_candidate_pk PRIMARY KEY (object_key)
);
CREATE INDEX certificate_object_idx ON certs.certificate (object_key);
CREATE INDEX certificate_printed_number_idx ON certs.certificate (number, type_code);
