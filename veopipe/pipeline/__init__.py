"""How to run a shot list: a pipeline file, read and checked."""
