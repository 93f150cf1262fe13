-- Who read an old value in a share (Delta Sharing) is due its correction too.
ALTER TABLE exchange.correction DROP CONSTRAINT correction_basis_known;
ALTER TABLE exchange.correction ADD CONSTRAINT correction_basis_known
    CHECK (basis IN ('query', 'verify', 'subscription', 'share'));
