"""Who counts the statements of each route under load: application, server, or echo log.

The probe in the application counts under any load and by route. A server and a log do not know
routes: there one user sends one request at a time, and what was added meanwhile is that request's.
"""
