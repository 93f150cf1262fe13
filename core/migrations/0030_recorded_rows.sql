-- What the rows of acts looked like when a leaf recorded them. A statement that changes rows of a recorded table
-- notes their keys until the transaction ends; the leaf of the act takes the notes and records the rows.
CREATE SEQUENCE core.recorded_row_number;
CREATE INDEX log_leaf_rows_recorded_idx ON core.log_leaf (recorded_at) WHERE event = 'rows.recorded';
CREATE INDEX log_leaf_rows_adopted_idx ON core.log_leaf (recorded_at) WHERE event = 'rows.adopted';

CREATE FUNCTION core.quote_columns(columns text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg(quote_ident(name), ',') FROM regexp_split_to_table(columns, ',') AS name
$$;

-- Argument: the columns of the key, with commas. A note is a line: a JSON array of table, key columns, key.
CREATE FUNCTION core.note_touched_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    notes text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(jsonb_build_array(%L, %L, jsonb_build_array(%s))::text, E''\n'') FROM touched',
        TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, TG_ARGV[0], core.quote_columns(TG_ARGV[0])) INTO notes;
    IF notes IS NOT NULL THEN
        PERFORM set_config('shuzheng.touched_rows',
            concat(current_setting('shuzheng.touched_rows', true), notes, E'\n'), true);
    END IF;
    RETURN NULL;
END $$;

-- A row as text by column, the same in every session: NULL for a row that is gone.
CREATE FUNCTION core.describe_row(content jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(content)
$$;

-- Take the notes of this transaction: each row touched, once, as it is now, with a number that grows.
CREATE FUNCTION core.take_touched_rows()
    RETURNS TABLE (table_name text, row_key text, number bigint, content jsonb)
    LANGUAGE plpgsql
    SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
    SET extra_float_digits = 1 AS $$
DECLARE
    noted record;
    matches text;
BEGIN
    FOR noted IN
        SELECT n ->> 0 AS name, n ->> 1 AS columns, array_agg(DISTINCT n ->> 2) AS keys
        FROM (SELECT line::jsonb AS n FROM regexp_split_to_table(
            current_setting('shuzheng.touched_rows', true), E'\n') AS line WHERE line <> '') AS lines
        GROUP BY 1, 2 ORDER BY 1
    LOOP
        SELECT string_agg(format('t.%I = (k.key::jsonb ->> %s)::%s', c.name, c.place - 1,
                                 format_type(a.atttypid, a.atttypmod)), ' AND ')
        INTO matches
        FROM regexp_split_to_table(noted.columns, ',') WITH ORDINALITY AS c (name, place)
        JOIN pg_attribute a ON a.attrelid = noted.name::regclass AND a.attname = c.name;
        RETURN QUERY EXECUTE format(
            'SELECT %L, k.key, nextval(''core.recorded_row_number''), core.describe_row(to_jsonb(t.*))'
            ' FROM unnest($1) AS k (key) LEFT JOIN %s AS t ON %s ORDER BY k.key',
            noted.name, noted.name, matches) USING noted.keys;
    END LOOP;
    PERFORM set_config('shuzheng.touched_rows', '', true);
END $$;

-- Read a whole recorded table in the same form.
CREATE FUNCTION core.read_recorded_rows(name text, columns text)
    RETURNS TABLE (row_key text, content jsonb)
    LANGUAGE plpgsql STABLE
    SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET bytea_output = 'hex'
    SET extra_float_digits = 1 AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT jsonb_build_array(%s)::text, core.describe_row(to_jsonb(t.*)) FROM %s AS t',
        core.quote_columns(columns), name);
END $$;
