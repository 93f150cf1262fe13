"""The guard: notices patterns that no honest case makes, slows them down, and keeps the evidence."""
