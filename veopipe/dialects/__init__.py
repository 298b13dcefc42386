"""How a family of gateways speaks: what a request holds and what an answer means. Pure."""
