"""PostgreSQL's logical replication as a source: every committed change, in order, deletes too."""
