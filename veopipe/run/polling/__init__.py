"""When a take that renders is asked for: what polls said, the law of its latency, and the polls that are worth most."""
