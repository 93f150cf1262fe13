-- What offices asked of applicants all the same. finding: why that was not to be asked, NULL where it was.
CREATE TABLE evidence.asking (
    id            uuid        NOT NULL,
    case_id       uuid        NOT NULL,
    run           integer     NOT NULL,
    material_code text        NOT NULL,
    outcome       text,
    finding       text,
    reason        text        NOT NULL,
    operator      text        NOT NULL,
    system_id     uuid        NOT NULL,
    asked_at      timestamptz NOT NULL,
    CONSTRAINT asking_pk PRIMARY KEY (id),
    CONSTRAINT asking_once_a_run UNIQUE (case_id, material_code, run),
    CONSTRAINT asking_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id)
);
CREATE INDEX asking_finding_idx ON evidence.asking (asked_at) WHERE finding IS NOT NULL;
CREATE INDEX case_opened_idx ON evidence.case_ (opened_at);
