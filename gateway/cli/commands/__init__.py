"""One module a command: `configure` adds its arguments, `run` carries it out and returns the exit status."""
