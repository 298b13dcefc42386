"""Whether an MP4 is whole, from its bytes alone: out of its wrapping, box by box, sample by sample."""
