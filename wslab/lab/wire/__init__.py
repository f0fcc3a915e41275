"""Cables, their faults, and transcripts of the traffic that went through them."""
