-- Leads (线索): rows that are each to be signed for (签收) and answered (反馈) in time.
CREATE TABLE subscriptions.lead_terms (
    subscription_id     uuid    NOT NULL,
    sign_working_days   integer NOT NULL,
    answer_working_days integer NOT NULL,
    CONSTRAINT lead_terms_pk PRIMARY KEY (subscription_id),
    CONSTRAINT lead_terms_subscription_fk FOREIGN KEY (subscription_id)
        REFERENCES subscriptions.subscription (id),
    CONSTRAINT lead_terms_positive CHECK (sign_working_days > 0 AND answer_working_days >= sign_working_days)
);

CREATE TABLE subscriptions.lead (
    id              uuid        NOT NULL,
    subscription_id uuid        NOT NULL,
    version         bigint      NOT NULL,
    sequence        bigint      NOT NULL,
    operation       text        NOT NULL,
    pushed_at       timestamptz NOT NULL,
    sign_due_at     timestamptz NOT NULL,
    answer_due_at   timestamptz NOT NULL,
    signed_at       timestamptz,
    signed_by       text,
    answered_at     timestamptz,
    answered_by     text,
    result          text,
    answer          text,
    reminded_at     timestamptz,
    CONSTRAINT lead_pk PRIMARY KEY (id),
    CONSTRAINT lead_change_unique UNIQUE (subscription_id, version, sequence),
    CONSTRAINT lead_subscription_fk FOREIGN KEY (subscription_id) REFERENCES subscriptions.subscription (id),
    CONSTRAINT lead_answered_after_signed CHECK (answered_at IS NULL OR signed_at IS NOT NULL)
);
CREATE INDEX lead_open_idx ON subscriptions.lead (subscription_id, sign_due_at) WHERE answered_at IS NULL;
