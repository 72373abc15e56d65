"""Hugo: Go-style concurrency, results, policies, sagas and leased task queues for asyncio.

The library needs the standard library alone. Its objects live in one process and belong to the event loop that first
uses them; work shared between processes goes through a database or a broker.
"""
