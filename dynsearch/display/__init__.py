"""Rows of plain values and plans' grids as text, tables and pictures, for files and for notebooks."""
