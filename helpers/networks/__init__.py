"""Pretrained networks in parts: stem, stages, head; weights files; one channel instead of three."""
