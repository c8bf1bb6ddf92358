"""The reference application: a small, real FastAPI + SQLAlchemy service on PostgreSQL.

Read it in this order: `settings`, `database`, `models`, one domain package (`users`), `main`.
Each domain package has the same files: `router` speaks HTTP, `schemas` are the request and
response models, `repository` holds the queries, `service` (where there is one) the rules.
"""
