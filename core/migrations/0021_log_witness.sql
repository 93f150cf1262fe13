-- Who else vouches for the log, what retention dropped, and when a time-stamp authority saw a head.
CREATE TABLE core.log_witness (
    name         text    NOT NULL,
    verifier_key text    NOT NULL,
    is_retired   boolean NOT NULL DEFAULT false,
    CONSTRAINT log_witness_pk PRIMARY KEY (name)
);

CREATE TABLE core.log_cosignature (
    tree_size bigint NOT NULL,
    witness   text   NOT NULL,
    line      text   NOT NULL,
    CONSTRAINT log_cosignature_pk PRIMARY KEY (tree_size, witness)
);

CREATE TABLE core.log_time_stamp (
    tree_size bigint NOT NULL,
    token     bytea  NOT NULL,
    CONSTRAINT log_time_stamp_pk PRIMARY KEY (tree_size)
);

-- The leaves whose payload a retention act (itself a leaf) dropped; their hashes stay in core.log_entry.
CREATE TABLE core.log_drop (
    leaf_index   bigint NOT NULL,
    dropped_with uuid   NOT NULL,
    CONSTRAINT log_drop_pk PRIMARY KEY (leaf_index)
);
CREATE INDEX log_drop_act_idx ON core.log_drop (dropped_with);
