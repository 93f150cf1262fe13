"""Push: the hub brings changes to webhooks, databases, folders and buckets of the subscriber."""
