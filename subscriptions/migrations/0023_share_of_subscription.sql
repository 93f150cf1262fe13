-- A share of a subscription: its profiles read under the subscription's grant, and bear its name.
ALTER TABLE subscriptions.share_profile
    ADD COLUMN subscription_id uuid,
    ADD CONSTRAINT share_profile_subscription_fk FOREIGN KEY (subscription_id)
        REFERENCES subscriptions.subscription (id);
