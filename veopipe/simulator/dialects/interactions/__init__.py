"""Google's Interactions API, from its own side; shares no code with the client's dialect of that name.

Start with `routes`: it says in which order a request is judged. `reading` takes a body, `rules` judges it, `prices`
says what it costs, `answers` has the bodies, `faults` the table of what can go wrong, and `mishaps` how that looks.
"""
