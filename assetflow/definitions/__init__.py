"""What users declare: assets, sources, checks, inputs, schemas, and the collection of them that a project loads."""
