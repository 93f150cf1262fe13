"""The feed: what changed, through a grant, in the form that the subscriber wants."""
