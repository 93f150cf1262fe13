"""Publishing (发布): batches become versions, whole or not at all, and every row is accounted for."""
