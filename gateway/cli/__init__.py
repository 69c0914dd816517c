"""`haul`, the command line."""
