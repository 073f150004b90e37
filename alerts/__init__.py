"""Judges and tells."""
