"""Generated BraTS-like cases: a procedural brain with a grown tumour, seen through four simulated acquisitions."""
