"""The verbs: one command per file, bodies of a few lines."""
