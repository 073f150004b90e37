"""Thousands of light meters in one process, with every fault there is."""
