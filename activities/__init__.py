"""What touches the world: models, tools, memory, stores."""
