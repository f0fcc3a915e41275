"""What is seen and broken: cables, their faults, and transcripts of what went through them."""
