-- What a case goes on under without a fact: commitments (告知承诺), later delivery (容缺), and questions to
-- departments (协助核查). sealed: the applicants and the form, under the hub's key; erased when nothing needs it.
CREATE TABLE evidence.undertaking (
    id            uuid        NOT NULL,
    case_id       uuid        NOT NULL,
    fact          text        NOT NULL,
    kind          text        NOT NULL,
    state         text        NOT NULL,
    text          text        NOT NULL,
    text_sm3      text        NOT NULL,
    role          text,
    subject_key   bytea,
    department    text,
    system_id     uuid        NOT NULL,
    operator      text        NOT NULL,
    made_at       timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    sealed        bytea,
    next_check_at timestamptz,
    checked_at    timestamptz,
    reminded_at   timestamptz,
    closed_at     timestamptz,
    reason        text,
    CONSTRAINT undertaking_pk PRIMARY KEY (id),
    CONSTRAINT undertaking_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id),
    CONSTRAINT undertaking_kind_known CHECK (kind IN ('commitment', 'tolerance', 'request')),
    CONSTRAINT undertaking_state_known CHECK (state IN
        ('open', 'overdue', 'kept', 'breached', 'delivered', 'confirmed', 'refuted', 'withdrawn'))
);
CREATE UNIQUE INDEX undertaking_one_open ON evidence.undertaking (case_id, fact, kind)
    WHERE state IN ('open', 'overdue');
CREATE INDEX undertaking_check_idx ON evidence.undertaking (next_check_at) WHERE next_check_at IS NOT NULL;
CREATE INDEX undertaking_department_idx ON evidence.undertaking (department, made_at)
    WHERE department IS NOT NULL;
