"""Reads meters and writes readings."""
