"""Electronic seals (电子印章) and seal signatures (电子签章): SES V1, V4 and V5.

`model` holds the values, `parse` reads them from original octets, `encode` writes them, `build` makes
seals, `sign` makes seal signatures, `assess` examines a seal and `signature` a seal signature; both stand
on `holders` (the certificates of maker and signer), `chains`, `signers` (the list in the seal), `stamps`
and `values`. `describe` renders all of it as JSON. Findings, verdicts and the trust policy lie one level
up, in `signing.findings` and `signing.trust`: certificates use them too.
Source: GM/T 0031-2014 (V1), GB/T 38540-2020 (V4), GM/T 0031-2025 (V5).
"""
