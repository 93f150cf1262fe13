"""Notices (通知): what an organisation has to know, and has perhaps not asked."""
