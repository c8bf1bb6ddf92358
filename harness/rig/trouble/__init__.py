"""What can happen to a running application's database, done on purpose and given back.

Each trouble is a function or a context manager on plain facts: a server, a URL, an address. All
work from any ordinary process and run their own event loops in threads of their own, so that
neither the caller's loop nor its lack of one matters; none of them may run where gevent has
patched the process.
"""
