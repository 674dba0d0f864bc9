"""The training side of the command ``kdnet``."""
