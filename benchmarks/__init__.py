"""Side-by-side measurements against what people use otherwise, for anyone to run.

`capture.py`, `isolation.py`, `probe.py`, `startup.py`, `query_lock.py` and `peers_n_plus_one.py`
are the programs; the rest is theirs.
"""
