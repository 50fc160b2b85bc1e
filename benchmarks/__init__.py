"""Side-by-side timings: ``make bench`` runs them all and writes results.json and README.md."""
