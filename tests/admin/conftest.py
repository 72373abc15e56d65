"""The admin over a fresh database, in a process that serves no gRPC."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from temporalio.api.common.v1 import Payload, Payloads, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

from orchestrator.models import VisibilityRecord
from orchestrator.services.current import current_engine, forget_detached
from orchestrator.services.start_workflow import start_workflow_execution


@pytest.fixture
def site(default_database: str) -> Iterator[Client]:
    """A superuser's browser."""
    forget_detached()
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    yield client
    forget_detached()


@pytest.fixture
def operator(site: Client) -> Callable[..., Client]:
    """Makes the browser of a member of the staff who has some permissions."""

    def make(*codenames: str) -> Client:
        user = get_user_model().objects.create_user("ann", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def start(site: Client) -> Callable[[str], VisibilityRecord]:
    """Starts a workflow and returns the row the list shows of it."""

    def begin(workflow_id: str) -> VisibilityRecord:
        engine = current_engine()
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Order"),
            task_queue=TaskQueue(name="orders"),
            input=Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b'{"sku":"<b>7</b>"}')]),
        )
        request.memo.fields["note"].CopyFrom(Payload(metadata={"encoding": b"json/plain"}, data=b'"a memo"'))
        engine.execute_joined(start_workflow_execution(engine, engine.namespaces.load("default"), request))
        return VisibilityRecord.objects.get(workflow_id=workflow_id)

    return begin
