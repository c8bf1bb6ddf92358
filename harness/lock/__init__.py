"""The query lock: how many statements each endpoint may run, kept in one committed file.

A package of its own between the facts and the checks: it says how often each statement ran at most,
and how that is written down. Whether a number is worse than another is a check's question.
"""
