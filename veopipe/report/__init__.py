"""How it stands: one row per shot, in words, as JSON, HTML, Markdown and JUnit."""
