-- The guard: what it has seen in its windows, its alerts with their evidence, what it does about them, limits.
CREATE UNLOGGED TABLE exchange.guard_sighting (
    kind    text        NOT NULL,
    key     bytea       NOT NULL,
    member  bytea       NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT guard_sighting_pk PRIMARY KEY (kind, key, member)
);
CREATE INDEX guard_sighting_seen_idx ON exchange.guard_sighting (seen_at);

CREATE TABLE exchange.guard_volume (
    system_id     uuid        NOT NULL,
    resource_code text        NOT NULL,
    hour          timestamptz NOT NULL,
    calls         bigint      NOT NULL,
    row_count     bigint      NOT NULL,
    CONSTRAINT guard_volume_pk PRIMARY KEY (system_id, resource_code, hour)
);

CREATE TABLE exchange.guard_rule (
    kind      text    NOT NULL,
    threshold integer NOT NULL,
    window_s  integer NOT NULL,
    CONSTRAINT guard_rule_pk PRIMARY KEY (kind),
    CONSTRAINT guard_rule_positive CHECK (threshold > 0 AND window_s > 0)
);
INSERT INTO exchange.guard_rule (kind, threshold, window_s) VALUES
    ('sequential', 8, 600),
    ('misses', 50, 600),
    ('operator_case', 50, 3600),
    ('operator_subjects', 500, 3600),
    ('volume', 5000, 3600);

CREATE TABLE exchange.guard_alert (
    id                uuid        NOT NULL,
    kind              text        NOT NULL,
    level             integer     NOT NULL,
    key               bytea       NOT NULL,
    system_id         uuid        NOT NULL,
    organisation_code text        NOT NULL,
    operator          text,
    resource_code     text        NOT NULL,
    provider_code     text        NOT NULL,
    detected_at       timestamptz NOT NULL,
    evidence          jsonb       NOT NULL,
    released_at       timestamptz,
    release_reason    text,
    CONSTRAINT guard_alert_pk PRIMARY KEY (id)
);
CREATE INDEX guard_alert_key_idx ON exchange.guard_alert (kind, key, detected_at);
CREATE INDEX guard_alert_time_idx ON exchange.guard_alert (detected_at);

-- operator '' means the whole system.
CREATE TABLE exchange.guard_measure (
    system_id uuid        NOT NULL,
    operator  text        NOT NULL,
    level     integer     NOT NULL,
    until     timestamptz NOT NULL,
    alert_id  uuid        NOT NULL,
    CONSTRAINT guard_measure_pk PRIMARY KEY (system_id, operator)
);

-- Calls a minute; name '*' is the default for all of that scope.
CREATE TABLE exchange.call_limit (
    scope      text   NOT NULL,
    name       text   NOT NULL,
    per_minute bigint NOT NULL,
    CONSTRAINT call_limit_pk PRIMARY KEY (scope, name),
    CONSTRAINT call_limit_scope_known CHECK (scope IN ('system', 'organisation')),
    CONSTRAINT call_limit_positive CHECK (per_minute > 0)
);
INSERT INTO exchange.call_limit (scope, name, per_minute) VALUES
    ('system', '*', 30000), ('organisation', '*', 60000);

CREATE UNLOGGED TABLE exchange.call_window (
    scope  text        NOT NULL,
    name   text        NOT NULL,
    minute timestamptz NOT NULL,
    taken  bigint      NOT NULL,
    CONSTRAINT call_window_pk PRIMARY KEY (scope, name, minute)
);
