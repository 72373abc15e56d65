"""The URLs of the HTTP API, to be included at `api/v1/`."""

from django.urls import path

from orchestrator.rest.process import ProcessView
from orchestrator.rest.views import RpcView

app_name = "hugo_rest"
urlpatterns = [
    path("process", ProcessView.as_view(), name="process"),
    path("<path:path>", RpcView.as_view(), name="rpc"),
]
