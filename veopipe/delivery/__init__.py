"""What arrived: downloads a video, proves that it is whole, measures it, and names it."""
