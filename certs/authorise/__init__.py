"""Authorised use (授权用证): by function, holder or delegation; bound to a case, counted."""
