-- What a system proves itself with: secrets and SM2 keys, several at a time so that they can be rotated.
CREATE TABLE core.credential (
    id          uuid        NOT NULL,
    system_id   uuid        NOT NULL,
    kind        text        NOT NULL,
    secret_hash text,
    point       bytea,
    certificate bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    not_after   timestamptz,
    revoked_at  timestamptz,
    CONSTRAINT credential_pk PRIMARY KEY (id),
    CONSTRAINT credential_system_fk FOREIGN KEY (system_id) REFERENCES core.system (id),
    CONSTRAINT credential_kind_known CHECK (kind IN ('secret', 'key')),
    CONSTRAINT credential_of_its_kind CHECK (
        (kind = 'secret') = (secret_hash IS NOT NULL) AND (kind = 'key') = (point IS NOT NULL)
    )
);
CREATE INDEX credential_system_idx ON core.credential (system_id);
INSERT INTO core.credential (id, system_id, kind, secret_hash, created_at)
SELECT gen_random_uuid(), id, 'secret', secret_hash, created_at FROM core.system;
ALTER TABLE core.system DROP COLUMN secret_hash;

-- Whoever revokes a credential ends the tokens that it brought.
ALTER TABLE core.token ADD COLUMN credential_id uuid;
ALTER TABLE core.token ADD CONSTRAINT token_credential_fk FOREIGN KEY (credential_id) REFERENCES core.credential (id);

-- Addresses that a system may call from (null: any), and whether an organisation signs its requests.
ALTER TABLE core.system ADD COLUMN networks cidr[];
ALTER TABLE core.organisation ADD COLUMN request_signatures text NOT NULL DEFAULT 'off';
ALTER TABLE core.organisation ADD CONSTRAINT organisation_request_signatures_known
    CHECK (request_signatures IN ('off', 'accepted', 'required'));

-- What was used once and must not be used again, on any process: jti of assertions, nonces of requests.
CREATE TABLE core.used_once (
    owner      uuid        NOT NULL,
    value      text        NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT used_once_pk PRIMARY KEY (owner, value)
);
CREATE INDEX used_once_expires_idx ON core.used_once (expires_at);
