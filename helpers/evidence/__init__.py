"""What was measured ahead, and what it says: the tables in data/results and advice from them."""
