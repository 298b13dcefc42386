"""The wire: one client for paid and free requests, and what carries and trusts them."""
