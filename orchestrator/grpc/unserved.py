"""The methods of Temporal's services that this server does not serve, each with why.

Every method of WorkflowService and OperatorService is either a row of `orchestrator.grpc.handlers` or named here; a
test compares both with the descriptors of the services. `docs/reference/rpc.md` is made from the two.
"""

WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"

SCHEDULES = "schedules are not served yet"
BATCHES = "batch operations are not served yet"
NEXUS = "Nexus is not served yet"
STANDALONE = "standalone activities are not served yet"
DEPLOYMENTS = "worker deployments are not served yet"
RULES = "workflow rules are not served yet"
PAUSES = "pausing of workflows is not served yet"
REMOVED = "a trial version of worker deployments, which Temporal has removed"
CLUSTERS = "there is one cluster"

_REASONS: dict[str, dict[str, str]] = {
    WORKFLOW_SERVICE: {
        SCHEDULES: (
            "CreateSchedule DescribeSchedule UpdateSchedule PatchSchedule ListScheduleMatchingTimes DeleteSchedule "
            "ListSchedules CountSchedules"
        ),
        BATCHES: "StartBatchOperation StopBatchOperation DescribeBatchOperation ListBatchOperations",
        NEXUS: (
            "RespondNexusTaskCompleted RespondNexusTaskFailed StartNexusOperationExecution "
            "DescribeNexusOperationExecution PollNexusOperationExecution ListNexusOperationExecutions "
            "CountNexusOperationExecutions RequestCancelNexusOperationExecution TerminateNexusOperationExecution "
            "DeleteNexusOperationExecution"
        ),
        STANDALONE: (
            "StartActivityExecution DescribeActivityExecution PollActivityExecution ListActivityExecutions "
            "CountActivityExecutions RequestCancelActivityExecution TerminateActivityExecution "
            "DeleteActivityExecution PauseActivityExecution ResetActivityExecution UnpauseActivityExecution "
            "UpdateActivityExecutionOptions"
        ),
        DEPLOYMENTS: (
            "DescribeWorkerDeploymentVersion SetWorkerDeploymentCurrentVersion DescribeWorkerDeployment "
            "DeleteWorkerDeployment DeleteWorkerDeploymentVersion SetWorkerDeploymentRampingVersion "
            "ListWorkerDeployments CreateWorkerDeployment CreateWorkerDeploymentVersion "
            "UpdateWorkerDeploymentVersionComputeConfig ValidateWorkerDeploymentVersionComputeConfig "
            "UpdateWorkerDeploymentVersionMetadata SetWorkerDeploymentManager"
        ),
        REMOVED: (
            "DescribeDeployment ListDeployments GetDeploymentReachability GetCurrentDeployment SetCurrentDeployment"
        ),
        RULES: ("CreateWorkflowRule DescribeWorkflowRule DeleteWorkflowRule ListWorkflowRules TriggerWorkflowRule"),
        PAUSES: "PauseWorkflowExecution UnpauseWorkflowExecution",
        "workers are not configured by the server": "FetchWorkerConfig UpdateWorkerConfig",
        "time is never skipped": "PollWorkflowExecutionTimeSkipping",
    },
    OPERATOR_SERVICE: {
        NEXUS: ("GetNexusEndpoint CreateNexusEndpoint UpdateNexusEndpoint DeleteNexusEndpoint ListNexusEndpoints"),
        CLUSTERS: "AddOrUpdateRemoteCluster RemoveRemoteCluster ListClusters",
        "deletion of namespaces is not served yet": "DeleteNamespace",
    },
}

UNSERVED: dict[str, dict[str, str]] = {
    service: {name: reason for reason, names in reasons.items() for name in names.split()}
    for service, reasons in _REASONS.items()
}
"""The reason of each unserved method, by service and name."""
