"""Renders what reports return."""
