"""Code versions of computations (``code``) and content hashes of data (``data``)."""
