"""One shot list with its pipeline: what is asked of it, what it says, and the ledger of what was made of it."""
