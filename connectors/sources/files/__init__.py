"""Files that come into a folder or a bucket: which ones are whole, which were read, what stands in them."""
