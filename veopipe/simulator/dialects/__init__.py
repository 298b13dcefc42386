"""How simulated gateways speak: routes, answers, rules and field names of each family."""
