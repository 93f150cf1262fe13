"""The gap map of a service item: which materials are replaceable already, by whom, and why not the rest."""
