// The cases of the Go SDK against the server at an address; one line a case, status 1 when one failed.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
)

// A case must end within this time.
const patience = time.Minute

type testCase struct {
	name string
	run  func(scene)
}

var cases = []testCase{
	{"hello", hello},
	{"activity-retry", activityRetry},
	{"activity-failure", activityFailure},
	{"async-completion", asyncCompletion},
	{"session", session},
	{"local-activity", localActivity},
	{"long-local-activity", longLocalActivity},
	{"timer", timer},
	{"signal", signal},
	{"signal-with-start", signalWithStart},
	{"query", query},
	{"replay", replay},
	{"update", update},
	{"update-with-start", updateWithStart},
	{"child-workflow", childWorkflow},
	{"external-workflow", externalWorkflow},
	{"continue-as-new", continueAsNew},
	{"cancel", cancel},
	{"terminate", terminate},
	{"already-started", alreadyStarted},
	{"workflow-retry", workflowRetry},
	{"cron", cron},
	{"visibility", visibility},
	{"versioning", versioning},
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: cases HOST:PORT")
		os.Exit(2)
	}
	failed, err := runAll(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed > 0 {
		os.Exit(1)
	}
}

func runAll(address string) (failed int, err error) {
	logger := log.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	connection, err := client.Dial(client.Options{HostPort: address, Logger: logger})
	if err != nil {
		return 0, err
	}
	defer connection.Close()
	suffix := rand.Text()[:8]
	everything := worker.New(connection, "go-"+suffix, worker.Options{
		EnableSessionWorker:          true,
		MaxHeartbeatThrottleInterval: 100 * time.Millisecond,
	})
	register(everything, &activities{connection})
	if err := everything.Start(); err != nil {
		return 0, err
	}
	defer everything.Stop()
	for _, each := range cases {
		if err := runOne(each, connection, "go-"+suffix); err != nil {
			failed++
			fmt.Printf("FAILED %s: %v\n", each.name, err)
		} else {
			fmt.Printf("ok %s\n", each.name)
		}
	}
	return failed, nil
}

func runOne(each testCase, connection client.Client, queue string) (err error) {
	ctx, end := context.WithTimeout(context.Background(), patience)
	defer end()
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case failure:
			err = reason
		default:
			panic(reason)
		}
	}()
	each.run(scene{ctx, connection, queue, queue + "-" + each.name, converter.GetDefaultDataConverter()})
	return nil
}
