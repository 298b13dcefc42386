"""What was paid: one durable record per shot, whose ledger it is, and what keeps both safe."""
