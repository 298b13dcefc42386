"""Gateways as data: how one speaks, which models it sells, for how much, and for how long it keeps a video."""
