"""Scoring trained networks case by case, and comparing them."""
