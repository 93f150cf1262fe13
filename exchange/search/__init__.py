"""Search in the catalogue, in Chinese and English, with PostgreSQL alone."""
