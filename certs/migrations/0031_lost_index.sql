-- What follows changes of certificates asks for those that are not active any more, and for changes since a moment.
CREATE INDEX certificate_lost_idx ON certs.certificate (identifier) WHERE status <> 'active';
CREATE INDEX status_change_time_idx ON certs.status_change (changed_at);
