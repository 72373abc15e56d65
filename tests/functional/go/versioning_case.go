package main

import (
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const patched = "Patched"

func beforePatch(ctx workflow.Context) (string, error) {
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return "old", nil
}

func afterPatch(ctx workflow.Context) (string, error) {
	version := workflow.GetVersion(ctx, "new-way", workflow.DefaultVersion, 1)
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	if version == workflow.DefaultVersion {
		return "old", nil
	}
	return "new", nil
}

// A run of the code before the patch goes on as it began when the worker has the code after it.
func versioning(s scene) {
	s.queue += "-versions"
	old, young := s.named("old"), s.named("new")
	done := s.working(beforePatch)
	oldRun := old.start(patched)
	old.eventually("the first task", func() bool {
		return len(old.eventsOf(enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)) == 1
	})
	done()
	done = s.working(afterPatch)
	youngRun := young.start(patched)
	young.eventually("the marker", func() bool {
		return len(young.eventsOf(enums.EVENT_TYPE_MARKER_RECORDED)) == 1
	})
	done()
	defer s.working(afterPatch)()
	old.signal("end", nil)
	young.signal("end", nil)
	equal("result of the old run", resultOf[string](s, oldRun), "old")
	equal("result of the new run", resultOf[string](s, youngRun), "new")
	s.eventually("the list", func() bool {
		listed, err := s.client.ListWorkflow(s, &workflowservice.ListWorkflowExecutionsRequest{
			Query: "TemporalChangeVersion = 'new-way-1' AND WorkflowId = '" + young.id + "'"})
		must(err)
		return len(listed.Executions) == 1
	})
}

// Starts a worker with one code of the workflow, and returns what stops it.
func (s scene) working(code any) func() {
	w := worker.New(s.client, s.queue, worker.Options{})
	w.RegisterWorkflowWithOptions(code, workflow.RegisterOptions{Name: patched})
	must(w.Start())
	return w.Stop
}
