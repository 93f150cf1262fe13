-- Whose data an act touched, several subjects in one leaf, and for each subject a counted chain of its leaves.
ALTER TABLE core.log_leaf ADD COLUMN owner_code text;
ALTER TABLE core.log_leaf ADD COLUMN subjects bytea[];
DROP INDEX core.log_leaf_subject_idx;
DROP INDEX core.log_leaf_resource_idx;
CREATE INDEX log_leaf_resource_idx ON core.log_leaf (resource_code, recorded_at) WHERE resource_code IS NOT NULL;
CREATE INDEX log_leaf_organisation_idx ON core.log_leaf (organisation_code, recorded_at);
CREATE INDEX log_leaf_owner_idx ON core.log_leaf (owner_code, recorded_at) WHERE owner_code IS NOT NULL;
CREATE INDEX log_leaf_operator_idx ON core.log_leaf (operator, recorded_at) WHERE operator IS NOT NULL;

-- The queue is ordered by the leaf's own time, so that every column of it can be checked against the leaf.
ALTER TABLE core.log_pending ADD COLUMN recorded_at timestamptz;
UPDATE core.log_pending p SET recorded_at = l.recorded_at FROM core.log_leaf l WHERE l.id = p.leaf_id;
ALTER TABLE core.log_pending DROP COLUMN position;
ALTER TABLE core.log_pending ALTER COLUMN recorded_at SET NOT NULL;
ALTER TABLE core.log_pending ADD CONSTRAINT log_pending_pk PRIMARY KEY (recorded_at, leaf_id);

-- The number-th leaf about a subject (number counts from 1) stands at leaf_index; the sequencer assigns both.
CREATE TABLE core.log_chain (
    subject_hmac bytea  NOT NULL,
    number       bigint NOT NULL,
    leaf_index   bigint NOT NULL,
    CONSTRAINT log_chain_pk PRIMARY KEY (subject_hmac, number)
);
CREATE INDEX log_chain_leaf_idx ON core.log_chain (leaf_index);

-- Which tree this is. One row; a hub whose settings differ refuses to go on.
CREATE TABLE core.log_tree (
    origin     text NOT NULL,
    hash_suite text NOT NULL,
    only_one   boolean NOT NULL DEFAULT true,
    CONSTRAINT log_tree_pk PRIMARY KEY (only_one),
    CONSTRAINT log_tree_only_one CHECK (only_one)
);
