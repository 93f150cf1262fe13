"""The lake: resources followed into Delta Lake tables on the object store, exactly once per version."""
