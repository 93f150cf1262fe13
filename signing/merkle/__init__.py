"""Merkle trees after RFC 9162, their tiles, signed checkpoints, and batch-signed receipts.

`hashing` (SM3 or SHA-256), `proofs` (plan, build, verify), `tree` (append; whole trees in memory), `tiles`
(C2SP tlog-tiles), `notes` and `checkpoint` (C2SP signed-note and tlog-checkpoint), `receipts` and
`receipt_format` (one SM2 signature for many items), `receipts_async` (collecting items for it). No module
opens a file, a socket or a database: whoever keeps a tree reads and writes what the plans here name.
"""
