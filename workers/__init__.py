"""Processes: settings, one connection, one worker per role."""
