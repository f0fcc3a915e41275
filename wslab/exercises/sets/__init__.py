"""One module for each set of exercises; each has a `SET`, named as the module is."""
