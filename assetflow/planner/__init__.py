"""The planner: what is stale, why, and what would run. Pure: state, graph and ``now`` in, a frozen plan out."""
