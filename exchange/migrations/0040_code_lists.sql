-- Code lists (代码集) that departments register: the newest version, and what every version was.
CREATE TABLE exchange.code_list (
    name       text        NOT NULL,
    title      text        NOT NULL,
    source     text        NOT NULL,
    version    integer     NOT NULL,
    owner_code text        NOT NULL,
    CONSTRAINT code_list_pk PRIMARY KEY (name),
    CONSTRAINT code_list_owner_fk FOREIGN KEY (owner_code) REFERENCES core.organisation (code)
);

CREATE TABLE exchange.code_list_version (
    name       text        NOT NULL,
    version    integer     NOT NULL,
    codes      jsonb       NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT code_list_version_pk PRIMARY KEY (name, version),
    CONSTRAINT code_list_version_list_fk FOREIGN KEY (name) REFERENCES exchange.code_list (name)
);

CREATE INDEX resource_item_code_list_idx ON exchange.resource_item (code_list) WHERE code_list IS NOT NULL;
