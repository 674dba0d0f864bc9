"""Training one system: batches, steps, schedule, checkpoints, interruption."""
