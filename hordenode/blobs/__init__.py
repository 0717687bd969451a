"""The bytes: stored files and signed links to them. Which files there should be, the store knows."""
