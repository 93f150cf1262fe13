"""The past of a resource: the states it came through, its revisions, and what differs between two."""
