"""Presentation (亮证): the holder shows a code once, sees who scanned it, and releases the certificate."""
