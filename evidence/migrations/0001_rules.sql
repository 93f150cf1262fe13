-- Service items (事项) and the versions of their rules.
CREATE SCHEMA evidence;

CREATE TABLE evidence.service_item (
    code        text        NOT NULL,
    office_code text        NOT NULL,
    title       text        NOT NULL,
    region      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    CONSTRAINT service_item_pk PRIMARY KEY (code),
    CONSTRAINT service_item_office_fk FOREIGN KEY (office_code) REFERENCES core.organisation (code)
);

CREATE TABLE evidence.item_version (
    item_code   text        NOT NULL,
    version     integer     NOT NULL,
    state       text        NOT NULL,
    document    jsonb       NOT NULL,
    digest_sm3  text        NOT NULL,
    saved_at    timestamptz NOT NULL,
    released_at timestamptz,
    retired_at  timestamptz,
    CONSTRAINT item_version_pk PRIMARY KEY (item_code, version),
    CONSTRAINT item_version_item_fk FOREIGN KEY (item_code) REFERENCES evidence.service_item (code),
    CONSTRAINT item_version_state_known CHECK (state IN ('draft', 'released', 'retired'))
);
CREATE UNIQUE INDEX item_version_one_draft ON evidence.item_version (item_code) WHERE state = 'draft';
CREATE UNIQUE INDEX item_version_one_released ON evidence.item_version (item_code) WHERE state = 'released';
