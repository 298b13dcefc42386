"""The dialect of Google's Interactions API, which sells the Gemini Omni models.

Start with `dialect`: it has the three requests (create, status, content) and says who judges the answers. `body` spells
an order; `creates` and `polls` judge; `interaction` reads what a poll tells of a task; `complaints` reads errors.
"""
