"""Every method of the API is served or refused by name, and the reference page says which."""

import pytest
from temporalio.api.operatorservice.v1 import service_pb2 as operator
from temporalio.api.workflowservice.v1 import service_pb2 as workflow

from orchestrator.grpc import reference
from orchestrator.grpc.handlers import SERVICES, unimplemented
from orchestrator.grpc.unserved import OPERATOR_SERVICE, UNSERVED, WORKFLOW_SERVICE

DESCRIPTORS = {
    WORKFLOW_SERVICE: workflow.DESCRIPTOR.services_by_name["WorkflowService"],
    OPERATOR_SERVICE: operator.DESCRIPTOR.services_by_name["OperatorService"],
}


@pytest.mark.parametrize("service", list(DESCRIPTORS))
def test_every_method_is_in_exactly_one_list(service: str) -> None:
    served, unserved = set(SERVICES[service]), set(UNSERVED[service])
    assert not served & unserved
    assert served | unserved == {method.name for method in DESCRIPTORS[service].methods}


@pytest.mark.parametrize("service", list(DESCRIPTORS))
def test_requests_are_the_ones_of_the_descriptors(service: str) -> None:
    for method in DESCRIPTORS[service].methods:
        if method.name in SERVICES[service]:
            assert SERVICES[service][method.name].request.DESCRIPTOR is method.input_type


def test_a_refusal_names_the_method() -> None:
    for service, methods in UNSERVED.items():
        for name in methods:
            assert name in unimplemented(f"/{service}/{name}").message
    assert "NoSuch" in unimplemented(f"/{WORKFLOW_SERVICE}/NoSuch").message


def test_the_reference_page_is_up_to_date() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run python -m orchestrator.grpc.reference"
