-- Access requests in full: search items, quotas, masks, renewals, scenarios (一件事), escalation.
CREATE TABLE exchange.scenario (
    id                uuid        NOT NULL,
    title             text        NOT NULL,
    organisation_code text        NOT NULL,
    created_at        timestamptz NOT NULL,
    CONSTRAINT scenario_pk PRIMARY KEY (id),
    CONSTRAINT scenario_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code)
);

ALTER TABLE exchange.application
    ADD COLUMN search_items    text[],
    ADD COLUMN calls_per_day   bigint,
    ADD COLUMN rows_per_day    bigint,
    ADD COLUMN masks           jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN renews_grant_id uuid,
    ADD COLUMN scenario_id     uuid REFERENCES exchange.scenario (id),
    ADD COLUMN extended_at     timestamptz,
    ADD COLUMN escalated_at    timestamptz,
    ADD COLUMN escalated_to    text;
CREATE INDEX application_overdue_idx ON exchange.application (due_at)
    WHERE state = 'pending' AND escalated_at IS NULL;
CREATE INDEX application_scenario_idx ON exchange.application (scenario_id) WHERE scenario_id IS NOT NULL;

ALTER TABLE exchange.grant_
    ADD COLUMN search_items  text[],
    ADD COLUMN calls_per_day bigint,
    ADD COLUMN rows_per_day  bigint,
    ADD COLUMN masks         jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN scenario_id   uuid;

-- What has been used of a grant's daily quotas.
CREATE TABLE exchange.quota_use (
    grant_id uuid   NOT NULL,
    used_on  date   NOT NULL,
    calls    bigint NOT NULL,
    row_count bigint NOT NULL,
    CONSTRAINT quota_use_pk PRIMARY KEY (grant_id, used_on)
);

-- How an item is masked by default, per service item (`*`: all others); set by the provider.
CREATE TABLE exchange.mask_rule (
    resource_code text  NOT NULL,
    item          text  NOT NULL,
    service_item  text  NOT NULL,
    mask          jsonb NOT NULL,
    CONSTRAINT mask_rule_pk PRIMARY KEY (resource_code, item, service_item),
    CONSTRAINT mask_rule_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
);

-- Deadlines by jurisdiction (the beginning of a division code; the longest that fits counts), what is asked
-- for, and the strictest share type. A provider may extend once by extension_days.
CREATE TABLE exchange.deadline (
    id              bigint GENERATED ALWAYS AS IDENTITY,
    jurisdiction    text    NOT NULL DEFAULT '',
    request_type    text    NOT NULL,
    share_type      text    NOT NULL,
    working_days    integer NOT NULL,
    extension_days  integer NOT NULL DEFAULT 0,
    legal_reference text    NOT NULL,
    valid_from      date    NOT NULL DEFAULT '2000-01-01',
    valid_until     date,
    CONSTRAINT deadline_pk PRIMARY KEY (id),
    CONSTRAINT deadline_unique UNIQUE (jurisdiction, request_type, share_type, valid_from),
    CONSTRAINT deadline_request_known CHECK (request_type IN ('access', 'renewal', 'objection')),
    CONSTRAINT deadline_share_known CHECK (share_type IN ('unconditional', 'conditional')),
    CONSTRAINT deadline_days_positive CHECK (working_days > 0 AND extension_days >= 0)
);
INSERT INTO exchange.deadline (request_type, share_type, working_days, extension_days, legal_reference)
    SELECT 'access', share_type, working_days, working_days, legal_reference FROM exchange.deadline_rule;
INSERT INTO exchange.deadline (request_type, share_type, working_days, extension_days, legal_reference)
    SELECT kind, share, 10, 10, 'local rule; set it to that of the jurisdiction'
    FROM unnest(ARRAY['renewal', 'objection']) kind, unnest(ARRAY['unconditional', 'conditional']) share;
DROP TABLE exchange.deadline_rule;

-- What an organisation has to know; without an organisation, what the platform's administrators have to.
CREATE TABLE exchange.notice (
    id                uuid        NOT NULL,
    organisation_code text,
    kind              text        NOT NULL,
    resource_code     text,
    details           jsonb       NOT NULL,
    created_at        timestamptz NOT NULL,
    read_at           timestamptz,
    CONSTRAINT notice_pk PRIMARY KEY (id)
);
CREATE INDEX notice_organisation_idx ON exchange.notice (organisation_code, created_at);
