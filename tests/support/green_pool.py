"""A Celery pool of greenlets, as far as a worker can see before it uses it; the real ones patch the whole process."""

from celery.concurrency.solo import TaskPool


class GreenPool(TaskPool):
    """Says of itself what the pools of gevent and eventlet say."""

    is_green = True
