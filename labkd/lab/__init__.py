r"""What makes the records: recipes, runs, the recorder."""
