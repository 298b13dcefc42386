"""The part of a run that spends: what is still to be created, what may go when, and each call with its record."""
