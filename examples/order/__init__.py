"""An order workflow for any Temporal-compatible server: `python -m examples.order`."""
