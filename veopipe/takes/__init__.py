"""What was ordered and what became of it: orders, the attempt table, takes as values, and money. Pure."""
