"""The metadata store: what was published, from what, by which run; one writer, many readers."""
