"""Code lists (代码集): those that come with the hub, and those that departments register and keep."""
