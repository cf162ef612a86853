"""Partitions: what users declare, the ordinals that stand for them inside, and the mappings between them."""
