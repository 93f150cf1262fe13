"""Records that a service answers over HTTP, as JSON or XML, page by page."""
