-- How the applicant confirmed an undertaking, and, where it was signed, which signature and certificate did.
ALTER TABLE evidence.undertaking
    ADD COLUMN confirmation  text,
    ADD COLUMN signature_sm3 text,
    ADD COLUMN signer_sm3    text,
    ADD CONSTRAINT undertaking_confirmation_known
        CHECK (confirmation IN ('stated', 'signed', 'signed_unknown_authority'));
