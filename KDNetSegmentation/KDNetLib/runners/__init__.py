"""What a prepared scan's probabilities are computed by: torch, or OpenVINO where it is installed."""
