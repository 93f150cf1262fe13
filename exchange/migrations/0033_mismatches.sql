-- Take the lock of a subject's budget, count the mismatches of a day, and charge `wrong` more where the budget is
-- not used up. Returns how many there were before. A function that is volatile sees what was committed while it
-- waited for the lock; the statement that calls it sees what was there when it began.
CREATE FUNCTION exchange.charge_mismatches(
    wanted_lock bigint, asking uuid, subject bytea, wanted_on date, wrong integer, budget integer
) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    counted integer;
BEGIN
    PERFORM pg_advisory_xact_lock(wanted_lock);
    counted := coalesce((SELECT m.mismatches FROM exchange.mismatch_count m
        WHERE m.system_id = asking AND m.subject_hmac = subject AND m.counted_on = wanted_on), 0);
    IF wrong > 0 AND counted < budget THEN
        INSERT INTO exchange.mismatch_count AS m (system_id, subject_hmac, counted_on, mismatches)
            VALUES (asking, subject, wanted_on, wrong)
            ON CONFLICT ON CONSTRAINT mismatch_count_pk DO UPDATE SET mismatches = m.mismatches + EXCLUDED.mismatches;
    END IF;
    RETURN counted;
END
$$;
