"""The applications of the lessons, one folder for each scenario."""
