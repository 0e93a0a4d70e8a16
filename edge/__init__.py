"""What runs beside a venue: speaks its protocol, and hands its messages to a stream as records."""
