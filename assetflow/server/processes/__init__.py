"""The processes beside the server: a warm template, one for each load of the project, and what these start.

Nothing here imports the web framework: a process that runs user code has no use for it.
"""
