-- Cases that the hub checks again by itself where what they rest on changes: by whose order, and what it found.
CREATE TABLE evidence.case_order (
    case_id   uuid  NOT NULL,
    sealed    bytea NOT NULL,
    system_id uuid  NOT NULL,
    CONSTRAINT case_order_pk PRIMARY KEY (case_id),
    CONSTRAINT case_order_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id)
);

-- mark: keyed digest of what the fact came to, by which a later check tells whether it is so still.
ALTER TABLE evidence.case_fact ADD COLUMN mark bytea;

ALTER TABLE evidence.cascade_effect
    ADD COLUMN finding       text,
    ADD COLUMN reason        text,
    ADD COLUMN checked_at    timestamptz,
    ADD COLUMN next_check_at timestamptz,
    ADD CONSTRAINT cascade_effect_finding_known CHECK (finding IN ('held', 'changed', 'overtaken'));
CREATE INDEX cascade_effect_due_idx ON evidence.cascade_effect (next_check_at) WHERE next_check_at IS NOT NULL;
