"""The metadata store on Postgres: everything that is said to it otherwise than to SQLite."""
