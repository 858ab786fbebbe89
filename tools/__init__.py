"""Thin mains of the command-line tools."""
