"""Objections (异议): disputed values, their correction, and everybody who holds the old one."""
