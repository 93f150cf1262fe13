"""Time stamps: requests, tokens, and an authority that issues them.

`request` and `response` are the messages, `token` reads and verifies, `clock` watches over the time,
`authority` stamps.

Source: RFC 3161, RFC 5816, RFC 5035, GB/T 20520, GM/T 0033.
"""
