"""Side-by-side measurements of Temporal-compatible servers; run with `python -m benchmarks`, see README.md."""
