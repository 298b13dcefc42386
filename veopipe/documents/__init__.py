"""Reads YAML with the place of every value, and checks it by JSON Schema."""
