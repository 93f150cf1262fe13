"""The catalogue (资源目录): resources, their items, and who may share what."""
