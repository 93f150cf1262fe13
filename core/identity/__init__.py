"""Organisations, the systems that act for them, their tokens, and the purpose of each call."""
