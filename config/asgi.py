"""The ASGI application of REST and admin."""

import os
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

from orchestrator.conf import hugo_settings
from orchestrator.rest.view_threads import ViewThreads

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application: Any = get_asgi_application()
if settings.SERVE_STATIC:
    application = ASGIStaticFilesHandler(application)
application = ViewThreads(application, hugo_settings().http_threads)
