"""Catalogues as documents: JSON, Excel and DCAT (JSON-LD), out and in again."""
