-- Row filters that grants had: what a subscriber was shown under one of them is taken back, or added to, when it ends.
-- `epoch` counts the changes of a grant's filter from 0; the filter of that epoch ended, and no version after
-- `until_version` was shown under it.
CREATE TABLE subscriptions.filter_change (
    grant_id      uuid        NOT NULL,
    epoch         integer     NOT NULL,
    row_filter    jsonb       NOT NULL,
    until_version bigint      NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT filter_change_pk PRIMARY KEY (grant_id, epoch),
    CONSTRAINT filter_change_grant_fk FOREIGN KEY (grant_id) REFERENCES exchange.grant_ (id)
);

-- Under which filter a consumer was shown what it acknowledged.
ALTER TABLE subscriptions.consumer ADD COLUMN acked_epoch integer NOT NULL DEFAULT 0;

-- Whether a dead letter holds what a change of the grant took back, and not changes of rows.
ALTER TABLE subscriptions.dead_letter ADD COLUMN is_announcement boolean NOT NULL DEFAULT false;

-- Runs when the change is committed, so that next to nothing can happen between it and the commit. The lock keeps a
-- version from being committed in that moment; a version that is under way already may still be, and counts as shown.
CREATE FUNCTION subscriptions.keep_former_filter() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    newest bigint;
BEGIN
    SELECT current_version INTO newest FROM exchange.resource WHERE code = NEW.resource_code FOR SHARE SKIP LOCKED;
    IF newest IS NULL THEN
        SELECT current_version + 1 INTO newest FROM exchange.resource WHERE code = NEW.resource_code;
    END IF;
    INSERT INTO subscriptions.filter_change (grant_id, epoch, row_filter, until_version)
    SELECT NEW.id, count(*), OLD.row_filter, newest FROM subscriptions.filter_change WHERE grant_id = NEW.id;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER filter_change_kept AFTER UPDATE OF row_filter ON exchange.grant_
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.row_filter IS DISTINCT FROM NEW.row_filter)
    EXECUTE FUNCTION subscriptions.keep_former_filter();
