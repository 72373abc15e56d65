"""The URLs of the HTTP API, to be included at `api/v1/`."""

from django.urls import path

from orchestrator.rest.views import RpcView

app_name = "hugo_rest"
urlpatterns = [path("<path:path>", RpcView.as_view(), name="rpc")]
