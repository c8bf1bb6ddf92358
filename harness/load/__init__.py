"""Load by Locust: what is here is imported by Locust's own process only.

Importing Locust patches the sockets and threads of the process that it is in.
"""
