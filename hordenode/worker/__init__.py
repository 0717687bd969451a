"""A worker: pop from a horde, generate on an engine, submit. It knows nothing else of either."""
