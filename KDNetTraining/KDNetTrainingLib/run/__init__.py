"""The run folder: what a training writes down, and what can be read from it while it runs."""
