"""The craft of a film: what people said of takes, and what is made of those that they chose."""
