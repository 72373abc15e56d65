"""Who may use the HTTP API: one class, named by HUGO["REST_PERMISSION"]."""

import ipaddress
from urllib.parse import urlsplit

from django.utils.module_loading import import_string
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from orchestrator.conf import hugo_settings


class Nobody(BasePermission):
    """The default: an API that nobody has opened is closed."""

    message = "The HTTP API is closed: HUGO['REST_PERMISSION'] names the class that opens it."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Never."""
        return False


class Loopback(BasePermission):
    """Everybody on this machine, for development. A web page that is open in a browser here is not "everybody"."""

    message = "The HTTP API of a development server is open on its own machine only."

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the caller is on this machine, and no page of another site."""
        return is_loopback(request.META.get("REMOTE_ADDR", "")) and (
            request.method in SAFE_METHODS or self._same_site(request)
        )

    @staticmethod
    def _same_site(request: Request) -> bool:
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.get_host()


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


def configured() -> BasePermission:
    """The permission the settings name."""
    permission: BasePermission = import_string(hugo_settings().rest_permission)()
    return permission
