-- What follows where a source row or a certificate changes: rules of issuers, how far versions were followed,
-- and every effect. A case's effect stands until the case is run again.
CREATE TABLE evidence.cascade_rule (
    code              text        NOT NULL,
    organisation_code text        NOT NULL,
    system_id         uuid        NOT NULL,
    document          jsonb       NOT NULL,
    created_at        timestamptz NOT NULL,
    retired_at        timestamptz,
    CONSTRAINT cascade_rule_pk PRIMARY KEY (code),
    CONSTRAINT cascade_rule_organisation_fk FOREIGN KEY (organisation_code) REFERENCES core.organisation (code)
);

CREATE TABLE evidence.cascade_cursor (
    resource_code text   NOT NULL,
    version       bigint NOT NULL,
    CONSTRAINT cascade_cursor_pk PRIMARY KEY (resource_code)
);

CREATE TABLE evidence.cascade_effect (
    id                uuid        NOT NULL,
    organisation_code text        NOT NULL,
    source            text        NOT NULL,
    source_version    text        NOT NULL,
    trigger           text        NOT NULL,
    rule_code         text,
    case_id           uuid,
    fact              text,
    certificate_id    text,
    action            text        NOT NULL,
    state             text        NOT NULL,
    made_at           timestamptz NOT NULL,
    settled_at        timestamptz,
    CONSTRAINT cascade_effect_pk PRIMARY KEY (id),
    CONSTRAINT cascade_effect_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id),
    CONSTRAINT cascade_effect_rule_fk FOREIGN KEY (rule_code) REFERENCES evidence.cascade_rule (code),
    CONSTRAINT cascade_effect_action_known CHECK (action IN ('recheck', 'suspend', 'notify')),
    CONSTRAINT cascade_effect_state_known CHECK (state IN ('pending', 'done', 'dismissed'))
);
CREATE UNIQUE INDEX cascade_effect_case_once ON evidence.cascade_effect (case_id, fact, source, source_version)
    WHERE case_id IS NOT NULL;
CREATE UNIQUE INDEX cascade_effect_certificate_once
    ON evidence.cascade_effect (rule_code, certificate_id, source, source_version) WHERE rule_code IS NOT NULL;
CREATE INDEX cascade_effect_organisation_idx ON evidence.cascade_effect (organisation_code, made_at);
