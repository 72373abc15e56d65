package main

import (
	"errors"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

func hello(s scene) {
	run := s.start(Hello, "World")
	equal("result", resultOf[string](s, run), "Hello, World!")
	equal("status", s.status(""), enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	equal("events", namesOf(s.events("")), "WorkflowExecutionStarted "+
		"WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted "+
		"ActivityTaskScheduled ActivityTaskStarted ActivityTaskCompleted "+
		"WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted WorkflowExecutionCompleted")
}

func activityRetry(s scene) {
	equal("result", resultOf[int32](s, s.start(Retrying)), int32(3))
	started := s.eventsOf(enums.EVENT_TYPE_ACTIVITY_TASK_STARTED)
	equal("started events", len(started), 1)
	attributes := started[0].GetActivityTaskStartedEventAttributes()
	equal("attempt", attributes.Attempt, int32(3))
	equal("last failure", attributes.LastFailure.GetMessage(), "attempt 2")
}

func activityFailure(s scene) {
	err := s.start(Failing).Get(s, nil)
	var activity *temporal.ActivityError
	equal("is an activity error", errors.As(err, &activity), true)
	equal("retry state", activity.RetryState(), enums.RETRY_STATE_NON_RETRYABLE_FAILURE)
	outOfPaper(err)
}

// The failure of the activity Fail, with its type and details, is the cause.
func outOfPaper(err error) {
	var cause *temporal.ApplicationError
	equal("is an application error", errors.As(err, &cause), true)
	equal("type", cause.Type(), "Paper")
	equal("message", cause.Message(), "out of paper")
	var where string
	must(cause.Details(&where))
	equal("details", where, "tray 2")
}

func asyncCompletion(s scene) {
	run := s.start(Awaiting)
	var token []byte
	s.eventually("the token", func() bool {
		for _, event := range s.eventsOf(enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) {
			must(s.data.FromPayloads(event.GetWorkflowExecutionSignaledEventAttributes().Input, &token))
		}
		return token != nil
	})
	must(s.client.CompleteActivity(s, token, "done elsewhere", nil))
	equal("result", resultOf[string](s, run), "done elsewhere")
}

func session(s scene) {
	equal("result", resultOf[[]string](s, s.start(InSession)), []string{"Hello, Ada!", "Hello, Bob!"})
}

func localActivity(s scene) {
	equal("result", resultOf[int32](s, s.start(Locally)), int32(3))
	equal("events", namesOf(s.events("")), "WorkflowExecutionStarted "+
		"WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted MarkerRecorded WorkflowExecutionCompleted")
}

func longLocalActivity(s scene) {
	options := s.options()
	options.WorkflowTaskTimeout = 2 * time.Second
	run, err := s.client.ExecuteWorkflow(s, options, Prolonged)
	must(err)
	equal("completed at least twice", resultOf[int](s, run) >= 2, true)
	equal("markers", len(s.eventsOf(enums.EVENT_TYPE_MARKER_RECORDED)), 1)
}

func timer(s scene) {
	must(s.start(Napping).Get(s, nil))
	equal("events", namesOf(s.events("")), "WorkflowExecutionStarted "+
		"WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted TimerStarted TimerStarted TimerFired "+
		"WorkflowTaskScheduled WorkflowTaskStarted WorkflowTaskCompleted TimerCanceled WorkflowExecutionCompleted")
}
