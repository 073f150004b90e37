"""What was polled, on disk until the database has it."""
