-- The dataset into which the hub publishes commitments in breach by itself, as its provider named it; one row.
CREATE TABLE evidence.credit_dataset (
    only_one          boolean     NOT NULL DEFAULT true,
    resource_code     text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid        NOT NULL,
    named_at          timestamptz NOT NULL,
    CONSTRAINT credit_dataset_pk PRIMARY KEY (only_one),
    CONSTRAINT credit_dataset_one CHECK (only_one),
    CONSTRAINT credit_dataset_system_fk FOREIGN KEY (system_id) REFERENCES core.system (id)
);

-- What of an undertaking was, or is to be, published there: one row for each state that it tells.
CREATE TABLE evidence.credit_entry (
    undertaking_id uuid        NOT NULL,
    told_state     text        NOT NULL,
    state          text        NOT NULL DEFAULT 'waiting',
    resource_code  text        NOT NULL,
    next_try_at    timestamptz,
    tries          integer     NOT NULL DEFAULT 0,
    batch_id       uuid,
    reason         text,
    settled_at     timestamptz,
    CONSTRAINT credit_entry_pk PRIMARY KEY (undertaking_id, told_state),
    CONSTRAINT credit_entry_undertaking_fk FOREIGN KEY (undertaking_id) REFERENCES evidence.undertaking (id),
    CONSTRAINT credit_entry_told_known CHECK (told_state = 'breached'),
    CONSTRAINT credit_entry_state_known CHECK (state IN ('waiting', 'published', 'refused'))
);
CREATE INDEX credit_entry_try_idx ON evidence.credit_entry (next_try_at) WHERE next_try_at IS NOT NULL;
CREATE INDEX undertaking_told_idx ON evidence.undertaking (kind)
    WHERE state = 'breached';
