-- Cases, what each fact of them came to, and what that rests on. No personal value is kept: only keyed hashes.
CREATE TABLE evidence.case_ (
    id                uuid        NOT NULL,
    organisation_code text        NOT NULL,
    item_code         text        NOT NULL,
    item_version      integer     NOT NULL,
    case_number       text        NOT NULL,
    bundle_code       text,
    bundle_reference  text,
    opened_at         timestamptz NOT NULL,
    last_run_at       timestamptz NOT NULL,
    closed_at         timestamptz,
    runs              integer     NOT NULL,
    outcomes          jsonb       NOT NULL,
    marks             jsonb       NOT NULL,
    CONSTRAINT case_pk PRIMARY KEY (id),
    CONSTRAINT case_number_unique UNIQUE (organisation_code, item_code, case_number),
    CONSTRAINT case_item_fk FOREIGN KEY (item_code, item_version)
        REFERENCES evidence.item_version (item_code, version)
);
CREATE INDEX case_bundle_idx ON evidence.case_ (bundle_code, bundle_reference)
    WHERE bundle_code IS NOT NULL;

-- reuse_key: keyed hash of the bundle and of everything that the fact was asked by.
CREATE TABLE evidence.case_fact (
    case_id        uuid        NOT NULL,
    fact           text        NOT NULL,
    outcome        text        NOT NULL,
    code           text        NOT NULL,
    established_at timestamptz,
    reused_from    uuid,
    reuse_key      bytea,
    CONSTRAINT case_fact_pk PRIMARY KEY (case_id, fact),
    CONSTRAINT case_fact_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id)
);
CREATE INDEX case_fact_reuse_idx ON evidence.case_fact (reuse_key) WHERE reuse_key IS NOT NULL;

-- What an outcome rests on. row_key: keyed hash of the resource and the key values of its row.
CREATE TABLE evidence.case_basis (
    case_id        uuid        NOT NULL,
    fact           text        NOT NULL,
    way            integer     NOT NULL,
    kind           text        NOT NULL,
    outcome        text        NOT NULL,
    source         text        NOT NULL,
    source_version bigint,
    row_key        bytea,
    certificate_id text,
    as_of          timestamptz,
    CONSTRAINT case_basis_pk PRIMARY KEY (case_id, fact, way),
    CONSTRAINT case_basis_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id)
);
CREATE INDEX case_basis_row_idx ON evidence.case_basis (source, row_key) WHERE row_key IS NOT NULL;
CREATE INDEX case_basis_certificate_idx ON evidence.case_basis (certificate_id)
    WHERE certificate_id IS NOT NULL;

-- Every run of a case, for counting what was asked of applicants and what was not.
CREATE TABLE evidence.case_run (
    case_id    uuid        NOT NULL,
    run        integer     NOT NULL,
    run_at     timestamptz NOT NULL,
    took_ms    integer     NOT NULL,
    calls      integer     NOT NULL,
    required   integer     NOT NULL,
    supplied   integer     NOT NULL,
    waived     integer     NOT NULL,
    undertaken integer     NOT NULL,
    remaining  integer     NOT NULL,
    CONSTRAINT case_run_pk PRIMARY KEY (case_id, run),
    CONSTRAINT case_run_case_fk FOREIGN KEY (case_id) REFERENCES evidence.case_ (id)
);
CREATE INDEX case_run_time_idx ON evidence.case_run (run_at);
