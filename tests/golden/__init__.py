"""Comparison with what a real Temporal server was recorded to do; the recordings are no part of the checkout."""
