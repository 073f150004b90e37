"""What became of every reading, and what is told of it."""
