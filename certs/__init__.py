"""E-certificates (电子证照): types, identifiers, OFD files, seals in use, issuing, verifying, using."""
