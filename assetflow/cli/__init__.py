"""The command line: one module per group of commands; each answers with a document and with text for people."""
