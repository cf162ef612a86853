"""Where tasks run: the executors, behind one small protocol."""
