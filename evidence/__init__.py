"""The material engine: what the government holds is never asked for again (免提交).

Rooms: `rules` (service items as data), `cases` (the evidence request), `commitments` (going on without).
"""
