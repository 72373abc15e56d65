package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// What a case works with: its deadline, a client, the task queue of the worker, and a workflow id of its own.
type scene struct {
	context.Context
	client client.Client
	queue  string
	id     string
	data   converter.DataConverter
}

// The same scene with another workflow id.
func (s scene) named(name string) scene {
	s.id += "-" + name
	return s
}

// Ends a case; runOne recovers it.
type failure struct{ error }

func must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		panic(failure{fmt.Errorf("%s: got %v, want %v", what, got, want)})
	}
}

func (s scene) options() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: s.id, TaskQueue: s.queue}
}

func (s scene) start(workflow any, arguments ...any) client.WorkflowRun {
	run, err := s.client.ExecuteWorkflow(s, s.options(), workflow, arguments...)
	must(err)
	return run
}

func (s scene) signal(name string, argument any) {
	must(s.client.SignalWorkflow(s, s.id, "", name, argument))
}

func (s scene) ask(query string, arguments ...any) string {
	value, err := s.client.QueryWorkflow(s, s.id, "", query, arguments...)
	must(err)
	var answer string
	must(value.Get(&answer))
	return answer
}

func resultOf[T any](s scene, run client.WorkflowRun) T {
	var result T
	must(run.Get(s, &result))
	return result
}

// The history of a run as it is now; of the newest run when `run` is empty.
func (s scene) events(run string) []*history.HistoryEvent {
	var found []*history.HistoryEvent
	iterator := s.client.GetWorkflowHistory(s, s.id, run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		event, err := iterator.Next()
		must(err)
		found = append(found, event)
	}
	return found
}

func (s scene) eventsOf(kind enums.EventType) []*history.HistoryEvent {
	var found []*history.HistoryEvent
	for _, event := range s.events("") {
		if event.EventType == kind {
			found = append(found, event)
		}
	}
	return found
}

func namesOf(events []*history.HistoryEvent) string {
	var names []string
	for _, event := range events {
		names = append(names, event.EventType.String())
	}
	return strings.Join(names, " ")
}

func (s scene) status(run string) enums.WorkflowExecutionStatus {
	description, err := s.client.DescribeWorkflowExecution(s, s.id, run)
	must(err)
	return description.WorkflowExecutionInfo.Status
}

// Looks until it is true.
func (s scene) eventually(what string, look func() bool) {
	for !look() {
		select {
		case <-s.Done():
			panic(failure{fmt.Errorf("%s did not come true", what)})
		case <-time.After(20 * time.Millisecond):
		}
	}
}
