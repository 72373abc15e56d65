package main

import (
	"errors"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func register(w worker.Worker, a *activities) {
	w.RegisterActivity(a)
	for _, each := range []any{
		Hello, Retrying, Failing, Awaiting, InSession, Locally, Prolonged, Drawing, Napping,
		Conversation, Parent, Commander, Countdown, Careful, Stubborn, Ticking, Labelled,
	} {
		w.RegisterWorkflow(each)
	}
}

// The methods of a nil value are enough to name activities.
var names *activities

func withActivities(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		HeartbeatTimeout:    time.Minute,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond},
	})
}

func Hello(ctx workflow.Context, name string) (greeting string, err error) {
	err = workflow.ExecuteActivity(withActivities(ctx), names.Compose, name).Get(ctx, &greeting)
	return greeting, err
}

func Retrying(ctx workflow.Context) (attempt int32, err error) {
	err = workflow.ExecuteActivity(withActivities(ctx), names.Flaky).Get(ctx, &attempt)
	return attempt, err
}

func Failing(ctx workflow.Context) error {
	return workflow.ExecuteActivity(withActivities(ctx), names.Fail).Get(ctx, nil)
}

func Awaiting(ctx workflow.Context) (result string, err error) {
	err = workflow.ExecuteActivity(withActivities(ctx), names.Elsewhere).Get(ctx, &result)
	return result, err
}

// Runs two activities on the same worker, over a task queue made for it.
func InSession(ctx workflow.Context) (greetings []string, err error) {
	ctx, err = workflow.CreateSession(withActivities(ctx), &workflow.SessionOptions{
		CreationTimeout:  time.Minute,
		ExecutionTimeout: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	defer workflow.CompleteSession(ctx)
	for _, name := range []string{"Ada", "Bob"} {
		var greeting string
		if err = workflow.ExecuteActivity(ctx, names.Compose, name).Get(ctx, &greeting); err != nil {
			return nil, err
		}
		greetings = append(greetings, greeting)
	}
	return greetings, nil
}

func Locally(ctx workflow.Context) (attempt int32, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: 20 * time.Millisecond},
	})
	err = workflow.ExecuteLocalActivity(ctx, names.Flaky).Get(ctx, &attempt)
	return attempt, err
}

func Prolonged(ctx workflow.Context) (completed int, err error) {
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: time.Minute})
	err = workflow.ExecuteLocalActivity(ctx, names.OutlastTask).Get(ctx, &completed)
	return completed, err
}

// Draws a number, tells it when it is asked, and returns it at its end.
func Drawing(ctx workflow.Context) (draw int64, err error) {
	value := workflow.SideEffect(ctx, func(workflow.Context) any { return time.Now().UnixNano() })
	if err = value.Get(&draw); err != nil {
		return 0, err
	}
	if err = workflow.SetQueryHandler(ctx, "draw", func() (int64, error) { return draw, nil }); err != nil {
		return 0, err
	}
	workflow.GetSignalChannel(ctx, "end").Receive(ctx, nil)
	return draw, nil
}

// Waits for one timer and cancels another.
func Napping(ctx workflow.Context) error {
	longer, stop := workflow.WithCancel(ctx)
	late := workflow.NewTimer(longer, time.Hour)
	if err := workflow.Sleep(ctx, 50*time.Millisecond); err != nil {
		return err
	}
	stop()
	if err := late.Get(ctx, nil); !temporal.IsCanceledError(err) {
		return errors.New("the cancelled timer fired")
	}
	return nil
}

// Hears words by signal and by update until the word is "end"; the query "heard" tells them.
func Conversation(ctx workflow.Context) (string, error) {
	var heard []string
	err := workflow.SetQueryHandler(ctx, "heard", func(separator string) (string, error) {
		if separator == "" {
			return "", errors.New("a separator is needed")
		}
		return strings.Join(heard, separator), nil
	})
	if err != nil {
		return "", err
	}
	ended := func() bool { return len(heard) > 0 && heard[len(heard)-1] == "end" }
	err = workflow.SetUpdateHandlerWithOptions(ctx, "say", func(ctx workflow.Context, word string) (int, error) {
		if word == "cough" {
			return 0, temporal.NewApplicationError("bless you", "Cough")
		}
		heard = append(heard, word)
		return len(heard), nil
	}, workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, word string) error {
		if word == "" {
			return errors.New("silence")
		}
		return nil
	}})
	if err != nil {
		return "", err
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var word string
			workflow.GetSignalChannel(ctx, "say").Receive(ctx, &word)
			heard = append(heard, word)
		}
	})
	err = workflow.Await(ctx, ended)
	return strings.Join(heard, " "), err
}

// Runs a child that succeeds and one that fails.
func Parent(ctx workflow.Context) (string, error) {
	var greeting string
	if err := workflow.ExecuteChildWorkflow(ctx, Hello, "child").Get(ctx, &greeting); err != nil {
		return "", err
	}
	return greeting, workflow.ExecuteChildWorkflow(ctx, Failing).Get(ctx, nil)
}

// Signals one workflow and cancels another; returns what became of a signal to nobody.
func Commander(ctx workflow.Context, listener, victim string) (string, error) {
	if err := workflow.SignalExternalWorkflow(ctx, listener, "", "say", "end").Get(ctx, nil); err != nil {
		return "", err
	}
	if err := workflow.RequestCancelExternalWorkflow(ctx, victim, "").Get(ctx, nil); err != nil {
		return "", err
	}
	err := workflow.SignalExternalWorkflow(ctx, listener+"-nobody", "", "say", "end").Get(ctx, nil)
	var unknown *temporal.UnknownExternalWorkflowExecutionError
	if errors.As(err, &unknown) {
		return "nobody heard", nil
	}
	return "", err
}

func Countdown(ctx workflow.Context, left int) (string, error) {
	if left > 0 {
		return "", workflow.NewContinueAsNewError(ctx, Countdown, left-1)
	}
	return workflow.GetInfo(ctx).ContinuedExecutionRunID, nil
}

// Runs an activity until it is cancelled, then cleans up, if it is told so.
func Careful(ctx workflow.Context, cleanUp bool) (string, error) {
	err := workflow.ExecuteActivity(withActivities(ctx), names.Forever).Get(ctx, nil)
	if !cleanUp || !temporal.IsCanceledError(err) {
		return "", err
	}
	var greeting string
	cleaning, _ := workflow.NewDisconnectedContext(withActivities(ctx))
	err = workflow.ExecuteActivity(cleaning, names.Compose, "broom").Get(cleaning, &greeting)
	return greeting, err
}

// Fails before its third attempt.
func Stubborn(ctx workflow.Context) (int32, error) {
	if attempt := workflow.GetInfo(ctx).Attempt; attempt < 3 {
		return 0, errors.New("not yet")
	} else {
		return attempt, nil
	}
}

// Counts its runs by what the last one returned.
func Ticking(ctx workflow.Context) (runs int, err error) {
	if workflow.HasLastCompletionResult(ctx) {
		err = workflow.GetLastCompletionResult(ctx, &runs)
	}
	return runs + 1, err
}

var label = temporal.NewSearchAttributeKeyKeyword("SdkLabel")

func Labelled(ctx workflow.Context, value string) error {
	if err := workflow.UpsertTypedSearchAttributes(ctx, label.ValueSet(value)); err != nil {
		return err
	}
	return workflow.UpsertMemo(ctx, map[string]any{"label": value})
}
