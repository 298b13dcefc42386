"""What will be bought: compares what is wanted with what was paid, and writes it down as a permission."""
