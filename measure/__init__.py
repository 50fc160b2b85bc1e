"""What fills data/results; nothing imports it."""
