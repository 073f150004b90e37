"""Fake meters that speak real protocols."""
