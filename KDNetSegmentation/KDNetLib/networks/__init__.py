"""The networks that a model file can hold, each in its file, and the one place that knows their names."""
