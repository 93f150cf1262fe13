"""Service items (事项) as data: materials, the facts they prove, and the ways to establish each fact."""
