"""Delta Sharing: bulk copies under a grant, read by any client of the protocol."""
