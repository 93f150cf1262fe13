-- Seals that are replaced by a successor, and the history of every seal.
ALTER TABLE certs.seal
    ADD COLUMN predecessor uuid,
    ADD COLUMN version integer NOT NULL DEFAULT 4,
    ADD CONSTRAINT seal_predecessor_fk FOREIGN KEY (predecessor) REFERENCES certs.seal (id),
    ADD CONSTRAINT seal_predecessor_unique UNIQUE (predecessor),
    ADD CONSTRAINT seal_version_known CHECK (version IN (4, 5)),
    DROP CONSTRAINT seal_status_known,
    ADD CONSTRAINT seal_status_known CHECK (status IN ('active', 'suspended', 'replaced', 'destroyed'));
DROP INDEX certs.seal_name_unique;
CREATE UNIQUE INDEX seal_name_unique ON certs.seal (organisation_code, name)
    WHERE status IN ('active', 'suspended');

CREATE TABLE certs.seal_change (
    id                uuid        NOT NULL,
    seal_id           uuid        NOT NULL,
    from_status       text,
    to_status         text        NOT NULL,
    reason            text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid        NOT NULL,
    changed_at        timestamptz NOT NULL,
    CONSTRAINT seal_change_pk PRIMARY KEY (id),
    CONSTRAINT seal_change_seal_fk FOREIGN KEY (seal_id) REFERENCES certs.seal (id)
);
CREATE INDEX seal_change_seal_idx ON certs.seal_change (seal_id, changed_at);
