"""Running a plan: the run loop, attempts, observations of sources, executors."""
