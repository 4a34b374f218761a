"""Weights: files of ours and of others, and what a network begins with."""
