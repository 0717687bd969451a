"""From checkpoints to what the engine loads. Needs the package extra `export`."""
