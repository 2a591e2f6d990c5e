"""The process that owns the port, and how others talk to it."""
