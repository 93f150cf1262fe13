"""OFD (GB/T 33190-2016): lay documents out, write packages, set seals on them, read and draw them."""
