"""The reference application: a small, real FastAPI + SQLAlchemy service.

Read it in this order: `settings`, `models`, `db`, one domain package (`todos`), `main`; the map of
everything is in `docs/target_app.md`. Each domain package has the same files: `router` speaks HTTP,
`schemas` are the request and response models, `repository` holds the queries, `service` (where
there is one) the rules.
"""
