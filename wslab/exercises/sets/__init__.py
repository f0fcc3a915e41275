"""One module for each set of exercises, with a `SET`; its tasks' texts are in a .toml file."""
