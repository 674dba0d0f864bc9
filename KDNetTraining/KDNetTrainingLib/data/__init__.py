"""Finding, checking, preprocessing and augmenting the training cases."""
