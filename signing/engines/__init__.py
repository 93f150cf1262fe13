"""The SM2 engines: one small protocol, and each outside implementation in a module of its own."""
