"""X.509 with SM2: certificates, authorities, requests, CRLs, OCSP and path validation.

Source: RFC 5280, RFC 2986, RFC 6960, GM/T 0015, GB/T 20518.
"""
