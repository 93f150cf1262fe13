-- Note the rows that an UPDATE really changed: not those of which only columns changed that no leaf records.
-- Arguments: the columns of the key; the columns that are passed over (may be empty); each with commas.
CREATE FUNCTION core.note_changed_rows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    notes text;
BEGIN
    EXECUTE format(
        'SELECT string_agg(jsonb_build_array(%1$L, %2$L, key)::text, E''\n'') FROM ('
        ' SELECT jsonb_build_array(%3$s) AS key, to_jsonb(touched.*) - $1 FROM touched'
        ' EXCEPT SELECT jsonb_build_array(%3$s), to_jsonb(former.*) - $1 FROM former) AS changed',
        TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, TG_ARGV[0], core.quote_columns(TG_ARGV[0]))
        INTO notes USING string_to_array(TG_ARGV[1], ',');
    IF notes IS NOT NULL THEN
        PERFORM set_config('shuzheng.touched_rows',
            concat(current_setting('shuzheng.touched_rows', true), notes, E'\n'), true);
    END IF;
    RETURN NULL;
END $$;
