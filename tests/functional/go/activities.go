package main

import (
	"context"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

type activities struct {
	client client.Client
}

func (*activities) Compose(name string) (string, error) {
	return "Hello, " + name + "!", nil
}

// Fails before its third attempt.
func (*activities) Flaky(ctx context.Context) (int32, error) {
	attempt := activity.GetInfo(ctx).Attempt
	if attempt < 3 {
		return 0, fmt.Errorf("attempt %d", attempt)
	}
	return attempt, nil
}

func (*activities) Fail() error {
	return temporal.NewNonRetryableApplicationError("out of paper", "Paper", nil, "tray 2")
}

// Somebody else completes it: its token is known to the workflow with its own id.
func (a *activities) Elsewhere(ctx context.Context) (string, error) {
	info := activity.GetInfo(ctx)
	execution := info.WorkflowExecution
	if err := a.client.SignalWorkflow(ctx, execution.ID, execution.RunID, "token", info.TaskToken); err != nil {
		return "", err
	}
	return "", activity.ErrResultPending
}

// Heartbeats until it is cancelled.
func (*activities) Forever(ctx context.Context) error {
	for {
		activity.RecordHeartbeat(ctx, "still here")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Lasts until the worker has prolonged the workflow task in which it runs.
func (a *activities) OutlastTask(ctx context.Context) (int, error) {
	execution := activity.GetInfo(ctx).WorkflowExecution
	for {
		completed := 0
		history := a.client.GetWorkflowHistory(
			ctx, execution.ID, execution.RunID, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for history.HasNext() {
			event, err := history.Next()
			if err != nil {
				return 0, err
			}
			if event.EventType == enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				completed++
			}
		}
		if completed >= 2 {
			return completed, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
