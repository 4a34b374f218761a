"""Pictures and tables of a frontier."""
