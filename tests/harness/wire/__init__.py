"""The fault server: answers of a gateway that misbehaves on purpose."""
