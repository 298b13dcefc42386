"""The command line: commands, options, exit codes, and what people see on a terminal."""
