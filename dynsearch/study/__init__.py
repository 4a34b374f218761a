"""A study: its recipe, its folder and record, and what was found."""
