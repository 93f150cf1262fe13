-- Old deliveries are found, oldest first, to be pruned.
CREATE INDEX delivery_time_idx ON subscriptions.delivery (delivered_at);
