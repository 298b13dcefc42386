"""Reads YAML with the place of every value, checks it by JSON Schema, and knows what stands in for a file."""
