"""Takes in a bucket of an object store, and what such a store must keep."""
