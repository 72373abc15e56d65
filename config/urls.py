"""The URLs of the project."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("orchestrator.rest.urls")),
    path("admin/", admin.site.urls),
]
