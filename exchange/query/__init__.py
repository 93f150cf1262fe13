"""Query (查询): rows of a resource, under a grant and for a purpose."""
