"""``python -m helpers advise PATH``: look at a folder of images and say how to start on it."""
