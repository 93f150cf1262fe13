-- Where a certificate's file begins in its object, which may hold the files of several.
ALTER TABLE certs.certificate ADD COLUMN object_offset integer NOT NULL DEFAULT 0
    CONSTRAINT certificate_object_offset CHECK (object_offset >= 0);

DROP VIEW certs.described_certificate;
CREATE VIEW certs.described_certificate AS
SELECT c.*, t.name AS type_name, s.identifier AS successor
FROM certs.certificate c
JOIN certs.certificate_type t ON t.code = c.type_code AND t.version = c.type_version
LEFT JOIN certs.certificate s ON s.predecessor = c.identifier;
