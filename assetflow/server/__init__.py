"""The server behind ``assetflow dev``: the HTTP API, its event stream, and the processes that hold the user's code."""
