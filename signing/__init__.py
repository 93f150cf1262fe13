"""The trust layer: SM2/SM3/SM4, keys, X.509, e-seals, CMS, time stamps, Merkle trees.

A pure library on floor 1: it opens no database and no socket, and imports nothing of the other
packages. Everything it makes is checked by software that this project did not write.
"""
