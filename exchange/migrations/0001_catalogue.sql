-- The catalogue: resources, their items, and the codes that other schemes give them.
CREATE SCHEMA exchange;
CREATE SCHEMA data;

CREATE TABLE exchange.resource (
    code            text        NOT NULL,
    title           text        NOT NULL,
    summary         text        NOT NULL DEFAULT '',
    theme           text        NOT NULL,
    provider_code   text        NOT NULL,
    update_cycle    text        NOT NULL,
    schema_version  integer     NOT NULL DEFAULT 1,
    current_version bigint      NOT NULL DEFAULT 0,
    current_rows    bigint      NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT resource_pk PRIMARY KEY (code),
    CONSTRAINT resource_provider_fk FOREIGN KEY (provider_code) REFERENCES core.organisation (code),
    CONSTRAINT resource_theme_known CHECK (
        theme IN ('population', 'legal_person', 'spatial', 'credit', 'certificate', 'other')),
    CONSTRAINT resource_cycle_known CHECK (
        update_cycle IN ('realtime', 'daily', 'weekly', 'monthly', 'quarterly', 'half_yearly', 'yearly',
                         'irregular', 'never'))
);

CREATE TABLE exchange.resource_item (
    resource_code text    NOT NULL,
    position      integer NOT NULL,
    name          text    NOT NULL,
    title         text    NOT NULL,
    format        text    NOT NULL,
    is_key        boolean NOT NULL,
    is_required   boolean NOT NULL,
    share_type    text    NOT NULL,
    share_basis   text    NOT NULL DEFAULT '',
    code_list     text,
    check_rule    text,
    is_sensitive  boolean NOT NULL DEFAULT false,
    CONSTRAINT resource_item_pk PRIMARY KEY (resource_code, name),
    CONSTRAINT resource_item_position_unique UNIQUE (resource_code, position),
    CONSTRAINT resource_item_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code),
    CONSTRAINT resource_item_share_known CHECK (
        share_type IN ('unconditional', 'conditional', 'not_shared'))
);

CREATE TABLE exchange.external_code (
    resource_code text NOT NULL,
    scheme        text NOT NULL,
    code          text NOT NULL,
    CONSTRAINT external_code_pk PRIMARY KEY (resource_code, scheme),
    CONSTRAINT external_code_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code)
);
