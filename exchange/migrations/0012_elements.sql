-- Data elements (数据元): what an item means, wherever it occurs.
CREATE TABLE exchange.data_element (
    identifier   text        NOT NULL,
    title        text        NOT NULL,
    title_en     text        NOT NULL DEFAULT '',
    definition   text        NOT NULL,
    synonyms     text[]      NOT NULL DEFAULT '{}',
    names        text[]      NOT NULL DEFAULT '{}',
    format       text        NOT NULL,
    code_list    text,
    check_rule   text,
    source       text        NOT NULL DEFAULT '',
    owner_code   text,
    created_at   timestamptz NOT NULL,
    CONSTRAINT data_element_pk PRIMARY KEY (identifier),
    CONSTRAINT data_element_owner_fk FOREIGN KEY (owner_code) REFERENCES core.organisation (code)
);
