"""Subscriptions (订阅): changes reach every subscriber, once and in order."""
