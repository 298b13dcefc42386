"""Who brings finished videos: this process, or the workers of an engine."""
