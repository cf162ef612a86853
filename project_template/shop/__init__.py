"""A small shop: what its tills send every day becomes typed, checked and summed-up tables."""
