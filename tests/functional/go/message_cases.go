package main

import (
	"errors"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
)

func signal(s scene) {
	run := s.start(Conversation)
	for _, word := range []string{"one", "two", "end"} {
		s.signal("say", word)
	}
	equal("result", resultOf[string](s, run), "one two end")
	var notFound *serviceerror.NotFound
	equal("is not found", errors.As(s.client.SignalWorkflow(s, s.id, "", "say", "late"), &notFound), true)
}

func signalWithStart(s scene) {
	first, err := s.client.SignalWithStartWorkflow(s, s.id, "say", "one", s.options(), Conversation)
	must(err)
	second, err := s.client.SignalWithStartWorkflow(s, s.id, "say", "end", s.options(), Conversation)
	must(err)
	equal("run", second.GetRunID(), first.GetRunID())
	equal("result", resultOf[string](s, first), "one end")
}

func query(s scene) {
	run := s.start(Conversation)
	equal("before", s.ask("heard", "+"), "")
	s.signal("say", "one")
	equal("while open", s.ask("heard", "+"), "one")
	_, err := s.client.QueryWorkflow(s, s.id, "", "heard", "")
	var failed *serviceerror.QueryFailed
	equal("a failure", errors.As(err, &failed), true)
	equal("message", failed.Message, "a separator is needed")
	_, err = s.client.QueryWorkflow(s, s.id, "", "colour")
	equal("an unknown query fails", errors.As(err, &failed), true)
	s.signal("say", "end")
	must(run.Get(s, nil))
	equal("once closed", s.ask("heard", "+"), "one+end")
}

// The worker has to ask for the whole history, and to replay it.
func replay(s scene) {
	run := s.start(Drawing)
	s.eventually("the draw", func() bool { return len(s.eventsOf(enums.EVENT_TYPE_MARKER_RECORDED)) == 1 })
	drawn := func() (draw int64) {
		value, err := s.client.QueryWorkflow(s, s.id, "", "draw")
		must(err)
		must(value.Get(&draw))
		return draw
	}
	before := drawn()
	worker.PurgeStickyWorkflowCache()
	equal("after a replay", drawn(), before)
	worker.PurgeStickyWorkflowCache()
	s.signal("end", nil)
	equal("result", resultOf[int64](s, run), before)
	equal("failed tasks", len(s.eventsOf(enums.EVENT_TYPE_WORKFLOW_TASK_FAILED)), 0)
}

func (s scene) say(word string) client.UpdateWorkflowOptions {
	return client.UpdateWorkflowOptions{
		WorkflowID:   s.id,
		UpdateName:   "say",
		Args:         []any{word},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	}
}

func update(s scene) {
	run := s.start(Conversation)
	said := func(word string) (count int, err error) {
		handle, err := s.client.UpdateWorkflow(s, s.say(word))
		must(err)
		err = handle.Get(s, &count)
		return count, err
	}
	count, err := said("one")
	must(err)
	equal("answer", count, 1)

	var failure *temporal.ApplicationError
	_, err = said("")
	equal("a rejection", errors.As(err, &failure), true)
	equal("why", failure.Message(), "silence")
	_, err = said("cough")
	equal("a failed update", errors.As(err, &failure), true)
	equal("its type", failure.Type(), "Cough")

	options := s.say("end")
	options.UpdateID = "the-end"
	options.WaitForStage = client.WorkflowUpdateStageAccepted
	_, err = s.client.UpdateWorkflow(s, options)
	must(err)
	equal("result", resultOf[string](s, run), "one end")
	handle := s.client.GetWorkflowUpdateHandle(client.GetWorkflowUpdateHandleOptions{
		WorkflowID: s.id, UpdateID: options.UpdateID})
	must(handle.Get(s, &count))
	equal("answer of a closed run", count, 2)
	equal("accepted", len(s.eventsOf(enums.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)), 3)
}

func updateWithStart(s scene) {
	said := func(word string, policy enums.WorkflowIdConflictPolicy) (count int, err error) {
		options := s.options()
		options.WorkflowIDConflictPolicy = policy
		handle, err := s.client.UpdateWithStartWorkflow(s, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: s.client.NewWithStartWorkflowOperation(options, Conversation),
			UpdateOptions:          s.say(word),
		})
		if err != nil {
			return 0, err
		}
		err = handle.Get(s, &count)
		return count, err
	}
	count, err := said("one", enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
	must(err)
	equal("first answer", count, 1)
	count, err = said("two", enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING)
	must(err)
	equal("second answer", count, 2)
	_, err = said("three", enums.WORKFLOW_ID_CONFLICT_POLICY_FAIL)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	equal("is already started", errors.As(err, &started), true)
	s.signal("say", "end")
	equal("result", resultOf[string](s, s.client.GetWorkflow(s, s.id, "")), "one two end")
}
