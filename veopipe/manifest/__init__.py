"""What to make: reads a shot list, checks it, and knows the order of each shot."""
