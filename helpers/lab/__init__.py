"""The strategy lab: race two to five ways to train on the same images, and explain the result."""
