"""What user code prints and logs: captured per attempt, kept as files beside the store, read and followed."""
