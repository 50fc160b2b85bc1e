"""What fills data/results: one runner, and a file for each table; nothing imports it."""
