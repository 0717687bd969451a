"""Demo models: two small models trained from scratch on data that this package draws and writes itself."""
