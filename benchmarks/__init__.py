"""Scripts that produce the figures veopipe promises. See README.md."""
