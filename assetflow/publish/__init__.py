"""From a value to a published version and back: preparing, staging, reading, rolling back, cleaning up."""
