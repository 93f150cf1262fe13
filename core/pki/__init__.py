"""The hub's own public-key infrastructure: root and issuing CA, certified keys, revocation lists."""
