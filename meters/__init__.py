"""What a meter is: quantities, readings, profiles, encodings. Pure."""
