"""Accounting: rows and an order-independent digest per version and station, and what differs between two."""
