"""Rows of plain values as text, tables and pictures, for files and for notebooks."""
