-- The life of a catalogue entry: states, metadata, revisions, major versions, and search in Chinese and English.
ALTER TABLE exchange.resource
    ADD COLUMN state          text        NOT NULL DEFAULT 'published',
    ADD COLUMN state_reason   text        NOT NULL DEFAULT '',
    ADD COLUMN submitted_by   uuid,
    ADD COLUMN published_at   timestamptz DEFAULT now(),
    ADD COLUMN metadata       jsonb       NOT NULL DEFAULT '{}',
    ADD COLUMN major          integer     NOT NULL DEFAULT 1,
    ADD COLUMN supersedes     text,
    ADD COLUMN superseded_by  text,
    ADD COLUMN readable_until date,
    ADD CONSTRAINT resource_state_known CHECK (state IN ('draft', 'in_review', 'published', 'recalled')),
    ADD CONSTRAINT resource_major_positive CHECK (major > 0),
    ADD CONSTRAINT resource_supersedes_fk FOREIGN KEY (supersedes) REFERENCES exchange.resource (code),
    ADD CONSTRAINT resource_supersedes_unique UNIQUE (supersedes),
    ADD CONSTRAINT resource_superseded_by_fk FOREIGN KEY (superseded_by) REFERENCES exchange.resource (code);
CREATE INDEX resource_provider_idx ON exchange.resource (provider_code);

ALTER TABLE exchange.resource_item ADD COLUMN details jsonb NOT NULL DEFAULT '{}';

CREATE INDEX external_code_scheme_idx ON exchange.external_code (scheme, code);

-- The sequence part of the national code, counted per classification.
CREATE TABLE exchange.classification_sequence (
    classification text   NOT NULL,
    last_number    bigint NOT NULL,
    CONSTRAINT classification_sequence_pk PRIMARY KEY (classification)
);

-- Every state that a resource came into, and who brought it there.
CREATE TABLE exchange.resource_history (
    id                bigint      GENERATED ALWAYS AS IDENTITY,
    resource_code     text        NOT NULL,
    state             text        NOT NULL,
    reason            text        NOT NULL DEFAULT '',
    organisation_code text        NOT NULL,
    system_id         uuid,
    at                timestamptz NOT NULL,
    CONSTRAINT resource_history_pk PRIMARY KEY (id)
);
CREATE INDEX resource_history_resource_idx ON exchange.resource_history (resource_code, id);

-- The whole description as each revision had it; differences are computed from these.
CREATE TABLE exchange.resource_revision (
    resource_code text        NOT NULL,
    revision      integer     NOT NULL,
    description   jsonb       NOT NULL,
    at            timestamptz NOT NULL,
    CONSTRAINT resource_revision_pk PRIMARY KEY (resource_code, revision)
);

-- Words of a text for search. Runs of Han characters give their one-, two- and three-character pieces (a query
-- only the two longest sorts that it has), other words themselves and their English stem. Width and case do not
-- count (NFKC, lower case).
CREATE FUNCTION exchange.search_words(given text, is_query boolean) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    WITH folded AS (SELECT lower(normalize(left(given, 20000), NFKC)) AS t),
    runs AS (
        SELECT m[1] AS run FROM folded,
            regexp_matches(t, '[\u2E80-\u2FDF\u3005-\u3007\u3400-\u9FFF\uF900-\uFAFF\U00020000-\U0003FFFF]+', 'g') AS m
    ),
    words AS (
        SELECT left(m[1], 64) AS word FROM folded, regexp_matches(t, '[a-z0-9\u00C0-\u024F_.-]+', 'g') AS m
    )
    SELECT substr(run, p, n) FROM runs, generate_series(1, 3) AS n, generate_series(1, char_length(run) - n + 1) AS p
        WHERE NOT is_query OR n > 1 OR char_length(run) = 1
    UNION SELECT word FROM words
    UNION SELECT part FROM words, regexp_split_to_table(word, '[_.-]+') AS part WHERE part <> '' AND NOT is_query
    UNION SELECT stem FROM words, unnest(ts_lexize('english_stem', word)) AS stem WHERE stem <> ''
$$;

CREATE TABLE exchange.resource_words (
    resource_code text     NOT NULL,
    title         tsvector NOT NULL,
    items         tsvector NOT NULL,
    rest          tsvector NOT NULL,
    whole         tsvector NOT NULL,
    CONSTRAINT resource_words_pk PRIMARY KEY (resource_code),
    CONSTRAINT resource_words_resource_fk FOREIGN KEY (resource_code) REFERENCES exchange.resource (code) ON DELETE CASCADE
);
CREATE INDEX resource_words_whole_idx ON exchange.resource_words USING gin (whole);

CREATE FUNCTION exchange.word_vector(given text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT array_to_tsvector(coalesce(array_agg(DISTINCT w), '{}')) FROM exchange.search_words(coalesce(given, ''), false) AS w
$$;

CREATE FUNCTION exchange.theme_title(theme text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE theme WHEN 'population' THEN '人口 population' WHEN 'legal_person' THEN '法人 legal person enterprise'
        WHEN 'spatial' THEN '自然资源 空间地理 spatial' WHEN 'credit' THEN '社会信用 credit'
        WHEN 'certificate' THEN '电子证照 certificate licence' ELSE '' END
$$;

CREATE FUNCTION exchange.index_resource(wanted text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO exchange.resource_words (resource_code, title, items, rest, whole)
    SELECT code, title, items, rest, title || items || rest FROM (
        SELECT r.code,
            exchange.word_vector(concat_ws(' / ', r.code, r.title, r.metadata ->> 'title_en',
                (SELECT string_agg(a, ' / ') FROM jsonb_array_elements_text(r.metadata -> 'aliases') AS a),
                (SELECT string_agg(e.code, ' / ') FROM exchange.external_code AS e WHERE e.resource_code = r.code))) AS title,
            exchange.word_vector((SELECT string_agg(concat_ws(' / ', i.name, i.title, i.details ->> 'title_en'), ' / ')
                FROM exchange.resource_item AS i WHERE i.resource_code = r.code)) AS items,
            exchange.word_vector(concat_ws(' / ', r.summary, o.name, exchange.theme_title(r.theme),
                r.metadata ->> 'office', r.metadata ->> 'business', r.metadata ->> 'source_system',
                (SELECT string_agg(l, ' / ') FROM jsonb_array_elements_text(r.metadata -> 'labels') AS l))) AS rest
        FROM exchange.resource AS r JOIN core.organisation AS o ON o.code = r.provider_code WHERE r.code = wanted) AS v
    ON CONFLICT ON CONSTRAINT resource_words_pk DO UPDATE
        SET title = EXCLUDED.title, items = EXCLUDED.items, rest = EXCLUDED.rest, whole = EXCLUDED.whole
$$;

SELECT exchange.index_resource(code) FROM exchange.resource;
