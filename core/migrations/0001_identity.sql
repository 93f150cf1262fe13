-- Organisations, the systems that act for them, and their tokens.
CREATE SCHEMA core;

CREATE TABLE core.organisation (
    code          text        NOT NULL,
    name          text        NOT NULL,
    division_code text        NOT NULL,
    parent_code   text,
    status        text        NOT NULL DEFAULT 'active',
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organisation_pk PRIMARY KEY (code),
    CONSTRAINT organisation_parent_fk FOREIGN KEY (parent_code) REFERENCES core.organisation (code),
    CONSTRAINT organisation_status_known CHECK (status IN ('active', 'suspended'))
);

CREATE TABLE core.system (
    id                uuid        NOT NULL,
    organisation_code text        NOT NULL,
    name              text        NOT NULL,
    scopes            text[]      NOT NULL,
    secret_hash       text        NOT NULL,
    status            text        NOT NULL DEFAULT 'active',
    created_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT system_pk PRIMARY KEY (id),
    CONSTRAINT system_name_unique UNIQUE (organisation_code, name),
    CONSTRAINT system_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code),
    CONSTRAINT system_status_known CHECK (status IN ('active', 'suspended'))
);

-- A token is kept as HMAC-SM3 under the hub's key: who reads this table cannot use what is in it.
CREATE TABLE core.token (
    token_hash bytea       NOT NULL,
    system_id  uuid        NOT NULL,
    scopes     text[]      NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    CONSTRAINT token_pk PRIMARY KEY (token_hash),
    CONSTRAINT token_system_fk FOREIGN KEY (system_id) REFERENCES core.system (id)
);
CREATE INDEX token_expires_idx ON core.token (expires_at);
CREATE INDEX token_system_idx ON core.token (system_id);

-- X.509 certificates that the hub's authorities issued, and their revocation.
CREATE TABLE core.x509_certificate (
    serial      numeric(50)  NOT NULL,
    issuer_name text         NOT NULL,
    profile     text         NOT NULL,
    subject     text         NOT NULL,
    key_name    text,
    der         bytea        NOT NULL,
    not_after   timestamptz  NOT NULL,
    issued_at   timestamptz  NOT NULL DEFAULT now(),
    revoked_at  timestamptz,
    revocation_reason integer,
    CONSTRAINT x509_certificate_pk PRIMARY KEY (issuer_name, serial)
);
CREATE INDEX x509_certificate_key_idx ON core.x509_certificate (key_name);
