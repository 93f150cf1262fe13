"""Built-in sources. Each is one file; what it needs beyond the SDK is imported when it is made."""
