"""What was measured (data/results) and what it says."""
