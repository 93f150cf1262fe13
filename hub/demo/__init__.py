"""The story: a hub started as a process, and separate client systems that use it over HTTP."""
