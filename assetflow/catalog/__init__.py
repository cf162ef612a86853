"""The read side: SQL over what is recorded and over the data, lineage, and previews."""
