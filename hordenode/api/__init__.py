"""HTTP: the route table, what stands around each handler, and the handlers."""
