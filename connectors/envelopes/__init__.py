"""Signatures that older gateways ask for, as httpx authentication.

What is written here is what was found in the code of consumers of those platforms; it is no standard's word.
Where consumers differ, or where what they do is not known, an option decides and has no default.
None of these signatures covers the body: use them only over a line that is protected otherwise.
"""
