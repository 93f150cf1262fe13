-- Which row a certificate was issued from, so that who sees the row change finds it: the keyed hash of resource
-- and key values. Certificates issued before have none.
ALTER TABLE certs.certificate_source ADD COLUMN row_key bytea;
CREATE INDEX certificate_source_row_idx ON certs.certificate_source (resource_code, row_key)
    WHERE row_key IS NOT NULL;
