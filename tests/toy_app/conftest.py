"""The application itself holds no tests."""

collect_ignore = ["dice"]
