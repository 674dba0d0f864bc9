"""Colours of the panels' texts."""

PROBLEM_COLOUR = "#d9534f"
ERROR_STYLE = f"color: {PROBLEM_COLOUR}"
WARNING_STYLE = "color: #c77c11"
HINT_STYLE = "color: gray"
