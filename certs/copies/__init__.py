"""Annotated copies (加注件): a certificate for one use, with its purpose over the page, sealed again."""
