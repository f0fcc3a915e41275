"""What the lessons build and meet: one module per scenario."""
