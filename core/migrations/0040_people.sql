-- Administration, operation and audit in separate hands. A system that held several keeps the first of them.
UPDATE core.system SET scopes = ARRAY(SELECT s FROM unnest(scopes) s WHERE s IN ('admin', 'seal:manage') ORDER BY s)
    WHERE scopes && ARRAY['admin', 'seal:manage'] AND NOT scopes <@ ARRAY['admin', 'seal:manage'];
UPDATE core.system SET scopes = ARRAY(SELECT s FROM unnest(scopes) s WHERE s <> 'audit' ORDER BY s)
    WHERE scopes @> ARRAY['audit'] AND NOT scopes <@ ARRAY['audit'];
UPDATE core.token t SET scopes = ARRAY(SELECT unnest(t.scopes) INTERSECT SELECT unnest(s.scopes) ORDER BY 1)
    FROM core.system s WHERE s.id = t.system_id;
ALTER TABLE core.system ADD CONSTRAINT system_duties_separate CHECK (
    scopes <@ ARRAY['admin', 'seal:manage'] OR scopes <@ ARRAY['audit']
    OR NOT scopes && ARRAY['admin', 'seal:manage', 'audit']
);

-- Staff (人员): they sign in and act through the same interface, with the scopes of their roles.
CREATE TABLE core.person (
    id                  uuid        NOT NULL,
    organisation_code   text        NOT NULL,
    login               text        NOT NULL,
    name                text        NOT NULL,
    roles               text[]      NOT NULL,
    status              text        NOT NULL DEFAULT 'active',
    password_hash       text        NOT NULL,
    password_is_initial boolean     NOT NULL DEFAULT true,
    failures            integer     NOT NULL DEFAULT 0,
    locked_until        timestamptz,
    totp_sealed         bytea,
    totp_is_confirmed   boolean     NOT NULL DEFAULT false,
    totp_step           bigint      NOT NULL DEFAULT 0,
    key_point           bytea,
    created_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT person_pk PRIMARY KEY (id),
    CONSTRAINT person_login_unique UNIQUE (login),
    CONSTRAINT person_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code),
    CONSTRAINT person_status_known CHECK (status IN ('active', 'suspended')),
    CONSTRAINT person_duties_separate CHECK (
        roles <@ ARRAY['administrator'] OR roles <@ ARRAY['auditor'] OR NOT roles && ARRAY['administrator', 'auditor']
    )
);
CREATE INDEX person_organisation_idx ON core.person (organisation_code);

-- A session is kept as a token is: as HMAC-SM3 under the hub's key.
CREATE TABLE core.session (
    token_hash bytea       NOT NULL,
    person_id  uuid        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    CONSTRAINT session_pk PRIMARY KEY (token_hash),
    CONSTRAINT session_person_fk FOREIGN KEY (person_id) REFERENCES core.person (id)
);
CREATE INDEX session_person_idx ON core.session (person_id);
CREATE INDEX session_expires_idx ON core.session (expires_at);
