"""What every server package stands on: settings, database, objects, identity, keys, the transparency log.

Floor 2: imports `signing` and nothing above.
"""
