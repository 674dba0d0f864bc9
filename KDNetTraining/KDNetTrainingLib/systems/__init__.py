"""The methods that can be trained: what each sees, and what it minimises."""
