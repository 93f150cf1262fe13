"""Pictures of issued certificates, for screens and lists: under the same rules as their files."""
