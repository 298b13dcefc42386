"""Carries a plan out: asks, buys, polls, fetches and measures, and records each step."""
