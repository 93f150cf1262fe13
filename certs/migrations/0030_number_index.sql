-- Look-ups by number name no issuer, so the index that begins with one does not serve them.
CREATE INDEX certificate_plain_number_idx ON certs.certificate (number, type_code);
