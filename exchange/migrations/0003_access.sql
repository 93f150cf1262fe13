-- Access requests, the deadlines of their decisions, and the grants that come of them.
CREATE TABLE exchange.application (
    id                uuid        NOT NULL,
    resource_code     text        NOT NULL,
    organisation_code text        NOT NULL,
    items             text[]      NOT NULL,
    modes             text[]      NOT NULL,
    row_filter        jsonb       NOT NULL DEFAULT '{}',
    service_items     text[]      NOT NULL,
    purpose           text        NOT NULL,
    legal_basis       text        NOT NULL,
    valid_until       timestamptz NOT NULL,
    state             text        NOT NULL,
    findings          jsonb       NOT NULL DEFAULT '[]',
    decision_reason   text,
    decided_by        uuid,
    created_at        timestamptz NOT NULL DEFAULT now(),
    due_at            timestamptz NOT NULL,
    decided_at        timestamptz,
    CONSTRAINT application_pk PRIMARY KEY (id),
    CONSTRAINT application_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code),
    CONSTRAINT application_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code),
    CONSTRAINT application_state_known CHECK (state IN ('pending', 'approved', 'refused'))
);
CREATE INDEX application_organisation_idx ON exchange.application (organisation_code, created_at);
CREATE INDEX application_resource_idx ON exchange.application (resource_code, created_at);

CREATE TABLE exchange.grant_ (
    id                uuid        NOT NULL,
    application_id    uuid        NOT NULL,
    resource_code     text        NOT NULL,
    organisation_code text        NOT NULL,
    items             text[]      NOT NULL,
    modes             text[]      NOT NULL,
    row_filter        jsonb       NOT NULL DEFAULT '{}',
    service_items     text[]      NOT NULL,
    purpose           text        NOT NULL,
    legal_basis       text        NOT NULL,
    valid_from        timestamptz NOT NULL DEFAULT now(),
    valid_until       timestamptz NOT NULL,
    revoked_at        timestamptz,
    revocation_reason text,
    CONSTRAINT grant_pk PRIMARY KEY (id),
    CONSTRAINT grant_application_unique UNIQUE (application_id),
    CONSTRAINT grant_application_fk FOREIGN KEY (application_id) REFERENCES exchange.application (id)
);
CREATE INDEX grant_lookup_idx ON exchange.grant_ (resource_code, organisation_code);

-- How many working days a provider has, by the strictest share type of the items asked for.
CREATE TABLE exchange.deadline_rule (
    share_type      text    NOT NULL,
    working_days    integer NOT NULL,
    legal_reference text    NOT NULL,
    CONSTRAINT deadline_rule_pk PRIMARY KEY (share_type),
    CONSTRAINT deadline_rule_share_known CHECK (share_type IN ('unconditional', 'conditional')),
    CONSTRAINT deadline_rule_days_positive CHECK (working_days > 0)
);
INSERT INTO exchange.deadline_rule (share_type, working_days, legal_reference) VALUES
    ('unconditional', 1, 'local rule; set it to that of the jurisdiction'),
    ('conditional', 10, 'local rule; set it to that of the jurisdiction');

-- Days that are not what their weekday says: statutory holidays and make-up working days.
CREATE TABLE exchange.calendar_day (
    day        date    NOT NULL,
    is_working boolean NOT NULL,
    CONSTRAINT calendar_day_pk PRIMARY KEY (day)
);

-- Wrong guesses per subject and system, so that verification cannot be used to find values out.
CREATE TABLE exchange.mismatch_count (
    system_id    uuid    NOT NULL,
    subject_hmac bytea   NOT NULL,
    counted_on   date    NOT NULL,
    mismatches   integer NOT NULL,
    CONSTRAINT mismatch_count_pk PRIMARY KEY (system_id, subject_hmac, counted_on)
);
CREATE INDEX mismatch_count_day_idx ON exchange.mismatch_count (counted_on);
