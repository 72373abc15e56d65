"""Policies: when to try again, what to take back."""

from hugo.policies.compensation import Compensation, CompensationScope, Executor, compensate
from hugo.policies.cron import Cron
from hugo.policies.execution import DEFAULT_POLICY, ExecutionPolicy, Operation, StepContext, execute
from hugo.policies.retry_policy import (
    NO_RETRY,
    RetryAfter,
    RetryAt,
    RetryDecision,
    RetryPolicy,
    RetryState,
    Stop,
)

__all__ = [
    "DEFAULT_POLICY",
    "NO_RETRY",
    "Compensation",
    "CompensationScope",
    "Cron",
    "ExecutionPolicy",
    "Executor",
    "Operation",
    "RetryAfter",
    "RetryAt",
    "RetryDecision",
    "RetryPolicy",
    "RetryState",
    "StepContext",
    "Stop",
    "compensate",
    "execute",
]
