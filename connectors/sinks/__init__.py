"""Built-in sinks. Each is one file; what it needs beyond the SDK is imported when it is made."""
