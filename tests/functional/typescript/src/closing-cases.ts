import assert from 'node:assert/strict';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  CancelledFailure,
  ChildWorkflowFailure,
  defaultPayloadConverter,
  TerminatedFailure,
} from '@temporalio/common';
import { temporal } from '@temporalio/proto';
import { isOutOfPaper } from './activity-cases';
import { label } from './label';
import { EventType, eventually, type Scene } from './scene';
import {
  careful,
  commander,
  conversation,
  countdown,
  labelled,
  parent,
  saySignal,
  stubborn,
  ticking,
} from './workflows';

export async function childWorkflow(scene: Scene): Promise<void> {
  const handle = await scene.start(parent, []);
  await assert.rejects(handle.result(), (error) => {
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ChildWorkflowFailure);
    return isOutOfPaper(error.cause.cause?.cause);
  });
  const completed = await scene.eventsOf(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED);
  const results = completed.map((event) => event.childWorkflowExecutionCompletedEventAttributes?.result?.payloads?.[0]);
  assert.deepEqual(
    results.map((payload) => defaultPayloadConverter.fromPayload(payload!)),
    ['Hello, child!'],
  );
  assert.equal((await scene.eventsOf(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED)).length, 1);
}

export async function externalWorkflow(scene: Scene): Promise<void> {
  const listener = await scene.named('listener').start(conversation, []);
  const victim = await scene.named('victim').start(conversation, []);
  const handle = await scene.start(commander, [listener.workflowId, victim.workflowId]);
  assert.equal(await handle.result(), 'nobody heard');
  assert.equal(await listener.result(), 'end');
  await assert.rejects(victim.result(), isCancelled);
}

function isCancelled(error: unknown): boolean {
  return error instanceof WorkflowFailedError && error.cause instanceof CancelledFailure;
}

export async function continueAsNew(scene: Scene): Promise<void> {
  const handle = await scene.start(countdown, [2]);
  const [first, second] = [handle.firstExecutionRunId, await handle.result()];
  assert.equal(await scene.status(first), 'CONTINUED_AS_NEW');
  assert.equal(await scene.status(second), 'CONTINUED_AS_NEW');
  assert.equal(await scene.status(), 'COMPLETED');
  const last = (await scene.events(first)).at(-1);
  assert.equal(last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId, second);
}

export async function cancel(scene: Scene): Promise<void> {
  const started = temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED;
  for (const cleansUp of [false, true]) {
    const each = scene.named(String(cleansUp));
    const handle = await each.start(careful, [cleansUp]);
    await eventually(async () => (await handle.describe()).raw.pendingActivities?.[0]?.state === started);
    await handle.cancel();
    if (cleansUp) {
      assert.equal(await handle.result(), 'Hello, broom!');
    } else {
      await assert.rejects(handle.result(), isCancelled);
      assert.equal(await each.status(), 'CANCELLED');
    }
    assert.equal((await each.eventsOf(EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED)).length, 1);
  }
}

export async function terminate(scene: Scene): Promise<void> {
  const handle = await scene.start(conversation, []);
  await handle.terminate('enough');
  await assert.rejects(handle.result(), (error) => {
    return error instanceof WorkflowFailedError && error.cause instanceof TerminatedFailure;
  });
  assert.equal(await scene.status(), 'TERMINATED');
}

export async function alreadyStarted(scene: Scene): Promise<void> {
  const handle = await scene.start(conversation, []);
  await assert.rejects(scene.start(conversation, []), WorkflowExecutionAlreadyStartedError);
  const again = await scene.start(conversation, [], { workflowIdConflictPolicy: 'USE_EXISTING' });
  assert.equal(again.firstExecutionRunId, handle.firstExecutionRunId);
  await handle.signal(saySignal, 'end');
  await handle.result();
  await assert.rejects(scene.named('nobody').status(), WorkflowNotFoundError);
}

export async function workflowRetry(scene: Scene): Promise<void> {
  const handle = await scene.start(stubborn, [], { retry: { initialInterval: 20 } });
  assert.equal(await handle.result(), 3);
  assert.equal(await scene.status(handle.firstExecutionRunId), 'FAILED');
}

export async function cron(scene: Scene): Promise<void> {
  const handle = await scene.start(ticking, [], { cronSchedule: '@every 1s' });
  await eventually(async () => {
    const started = (await scene.events())[0].workflowExecutionStartedEventAttributes;
    const payload = started?.lastCompletionResult?.payloads?.[0];
    return payload && defaultPayloadConverter.fromPayload<number>(payload) >= 2;
  });
  await scene.client.workflow.getHandle(handle.workflowId).terminate('enough');
}

export async function visibility(scene: Scene): Promise<void> {
  const { INDEXED_VALUE_TYPE_KEYWORD } = temporal.api.enums.v1.IndexedValueType;
  await scene.client.connection.operatorService
    .addSearchAttributes({ namespace: 'default', searchAttributes: { [label.name]: INDEXED_VALUE_TYPE_KEYWORD } })
    .catch((error) => assert.match(String(error), /ALREADY_EXISTS/));
  const options = { typedSearchAttributes: [{ key: label, value: 'before' }] };
  await (await scene.start(labelled, [scene.id], options)).result();
  const query = `${label.name} = '${scene.id}' AND ExecutionStatus = 'Completed'`;
  const listed = await eventually(async () => {
    for await (const execution of scene.client.workflow.list({ query })) return execution;
    return undefined;
  });
  assert.equal(listed.workflowId, scene.id);
  assert.deepEqual(listed.memo, { label: scene.id });
}
