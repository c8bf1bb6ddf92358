"""Ways to keep tests apart, each as the pytest plugin that a project's conftest would be.

All of them give the fixtures `async_session` and `sync_session`, on engines with warm pools
(`engines`) where the way itself does not say otherwise.
"""
