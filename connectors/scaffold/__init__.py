"""`connector new`: a package of your own, with a source that works and tests that run the kit."""
