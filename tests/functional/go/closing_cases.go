package main

import (
	"errors"
	"fmt"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/temporal"
)

func childWorkflow(s scene) {
	err := s.start(Parent).Get(s, nil)
	var child *temporal.ChildWorkflowExecutionError
	equal("is an error of the child", errors.As(err, &child), true)
	outOfPaper(err)
	completed := s.eventsOf(enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED)
	equal("completed children", len(completed), 1)
	var greeting string
	must(s.data.FromPayloads(completed[0].GetChildWorkflowExecutionCompletedEventAttributes().Result, &greeting))
	equal("result of the child", greeting, "Hello, child!")
	equal("failed children", len(s.eventsOf(enums.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED)), 1)
}

func externalWorkflow(s scene) {
	listener := s.named("listener")
	victim := s.named("victim")
	listening := listener.start(Conversation)
	suffering := victim.start(Conversation)
	equal("result", resultOf[string](s, s.start(Commander, listener.id, victim.id)), "nobody heard")
	equal("what the listener heard", resultOf[string](s, listening), "end")
	cancelled(suffering.Get(s, nil))
}

// The error is that of a cancelled workflow.
func cancelled(err error) {
	var cause *temporal.CanceledError
	equal(fmt.Sprintf("%v is a cancellation", err), errors.As(err, &cause), true)
}

func continueAsNew(s scene) {
	first := s.start(Countdown, 2)
	run := first.GetRunID()
	previous := resultOf[string](s, first)
	equal("status of the first run", s.status(run), enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
	equal("status of the second run", s.status(previous), enums.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
	equal("status of the last run", s.status(""), enums.WORKFLOW_EXECUTION_STATUS_COMPLETED)
	events := s.events(run)
	attributes := events[len(events)-1].GetWorkflowExecutionContinuedAsNewEventAttributes()
	equal("second run", attributes.GetNewExecutionRunId(), previous)
}

func cancel(s scene) {
	for _, cleansUp := range []bool{false, true} {
		each := s.named(fmt.Sprint(cleansUp))
		run := each.start(Careful, cleansUp)
		each.eventually("the activity", func() bool {
			description, err := s.client.DescribeWorkflowExecution(s, each.id, "")
			must(err)
			return len(description.PendingActivities) == 1 &&
				description.PendingActivities[0].State == enums.PENDING_ACTIVITY_STATE_STARTED
		})
		must(s.client.CancelWorkflow(s, each.id, ""))
		if cleansUp {
			equal("result", resultOf[string](s, run), "Hello, broom!")
		} else {
			cancelled(run.Get(s, nil))
			equal("status", each.status(""), enums.WORKFLOW_EXECUTION_STATUS_CANCELED)
		}
		equal("cancelled activities", len(each.eventsOf(enums.EVENT_TYPE_ACTIVITY_TASK_CANCELED)), 1)
	}
}

func terminate(s scene) {
	run := s.start(Conversation)
	must(s.client.TerminateWorkflow(s, s.id, "", "enough", "detail"))
	var terminated *temporal.TerminatedError
	equal("is terminated", errors.As(run.Get(s, nil), &terminated), true)
	equal("status", s.status(""), enums.WORKFLOW_EXECUTION_STATUS_TERMINATED)
}

func alreadyStarted(s scene) {
	run := s.start(Conversation)
	options := s.options()
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	_, err := s.client.ExecuteWorkflow(s, options, Conversation)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	equal("is already started", errors.As(err, &started), true)
	equal("the open run", started.RunId, run.GetRunID())
	equal("the run of a tolerant start", s.start(Conversation).GetRunID(), run.GetRunID())
	s.signal("say", "end")
	must(run.Get(s, nil))
	_, err = s.client.DescribeWorkflowExecution(s, s.id+"-nobody", "")
	var notFound *serviceerror.NotFound
	equal("is not found", errors.As(err, &notFound), true)
}

func workflowRetry(s scene) {
	options := s.options()
	options.RetryPolicy = &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond}
	run, err := s.client.ExecuteWorkflow(s, options, Stubborn)
	must(err)
	first := run.GetRunID()
	equal("result", resultOf[int32](s, run), int32(3))
	equal("status of the first run", s.status(first), enums.WORKFLOW_EXECUTION_STATUS_FAILED)
}

func cron(s scene) {
	options := s.options()
	options.CronSchedule = "@every 1s"
	_, err := s.client.ExecuteWorkflow(s, options, Ticking)
	must(err)
	s.eventually("a second run", func() bool {
		started := s.events("")[0].GetWorkflowExecutionStartedEventAttributes()
		var runs int
		if started.LastCompletionResult == nil {
			return false
		}
		must(s.data.FromPayloads(started.LastCompletionResult, &runs))
		return runs >= 2
	})
	must(s.client.TerminateWorkflow(s, s.id, "", "enough"))
}

func visibility(s scene) {
	_, err := s.client.OperatorService().AddSearchAttributes(s, &operatorservice.AddSearchAttributesRequest{
		Namespace:        "default",
		SearchAttributes: map[string]enums.IndexedValueType{label.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD},
	})
	var exists *serviceerror.AlreadyExists
	if !errors.As(err, &exists) {
		must(err)
	}
	options := s.options()
	options.TypedSearchAttributes = temporal.NewSearchAttributes(label.ValueSet("before"))
	run, err := s.client.ExecuteWorkflow(s, options, Labelled, s.id)
	must(err)
	must(run.Get(s, nil))
	s.eventually("the list", func() bool {
		listed, err := s.client.ListWorkflow(s, &workflowservice.ListWorkflowExecutionsRequest{
			Query: fmt.Sprintf("%s = '%s' AND ExecutionStatus = 'Completed'", label.GetName(), s.id)})
		must(err)
		return len(listed.Executions) == 1
	})
	description, err := s.client.DescribeWorkflowExecution(s, s.id, "")
	must(err)
	var memo string
	must(s.data.FromPayload(description.WorkflowExecutionInfo.Memo.Fields["label"], &memo))
	equal("memo", memo, s.id)
}
