"""Over MQTT: one link to a broker, and what its messages say."""
