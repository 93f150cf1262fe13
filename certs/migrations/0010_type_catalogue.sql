-- What the catalogue of certificate types says beyond what issuing needs (GB/T 36902-2018).
SET LOCAL lock_timeout = '5s';

ALTER TABLE certs.certificate_type
    ADD COLUMN issuing_level  text  NOT NULL DEFAULT 'other',
    ADD COLUMN validity_range text  NOT NULL DEFAULT '',
    ADD COLUMN related_items  jsonb NOT NULL DEFAULT '[]';

-- A view's columns are fixed when it is made.
DROP VIEW certs.described_type;
CREATE VIEW certs.described_type AS
SELECT t.*,
       NOT EXISTS (SELECT FROM certs.certificate_type n WHERE n.code = t.code AND n.version > t.version)
           AS is_newest,
       coalesce((SELECT jsonb_agg(jsonb_build_array(s.service_item, s.name) ORDER BY s.service_item)
                 FROM certs.type_service_item s WHERE s.type_code = t.code), '[]') AS service_items
FROM certs.certificate_type t;
