"""The dialect of the API document, which LaoZhang, new-api and their relatives share.

Start with `dialect`: it has the three requests (create, status, content) and says who judges the answers. `form` spells
an order; `creates` and `polls` judge; `jobs` reads a task object.
"""
