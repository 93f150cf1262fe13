-- Until when the predecessor stays readable, as planned before a major version is published.
ALTER TABLE exchange.resource ADD COLUMN predecessor_until date;
