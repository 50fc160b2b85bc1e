"""Helpers of the transfer-learning course: every notebook is a few calls of these modules."""
