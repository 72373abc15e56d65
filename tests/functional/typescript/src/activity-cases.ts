import assert from 'node:assert/strict';
import { WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, RetryState } from '@temporalio/common';
import { tokens } from './activities';
import { EventType, eventually, namesOf, type Scene } from './scene';
import { awaiting, failing, hello as greeting, locally, napping, prolonged, retrying } from './workflows';

const nextTask = ['WORKFLOW_TASK_SCHEDULED', 'WORKFLOW_TASK_STARTED', 'WORKFLOW_TASK_COMPLETED'];
const firstTask = ['WORKFLOW_EXECUTION_STARTED', ...nextTask];

export async function hello(scene: Scene): Promise<void> {
  const handle = await scene.start(greeting, ['World']);
  assert.equal(await handle.result(), 'Hello, World!');
  assert.equal(await scene.status(), 'COMPLETED');
  const activity = ['ACTIVITY_TASK_SCHEDULED', 'ACTIVITY_TASK_STARTED', 'ACTIVITY_TASK_COMPLETED'];
  const expected = [...firstTask, ...activity, ...nextTask, 'WORKFLOW_EXECUTION_COMPLETED'];
  assert.deepEqual(namesOf(await scene.events()), expected);
}

export async function activityRetry(scene: Scene): Promise<void> {
  assert.equal(await (await scene.start(retrying, [])).result(), 3);
  const started = await scene.eventsOf(EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED);
  const seen = started.map((event) => event.activityTaskStartedEventAttributes!);
  assert.deepEqual(
    seen.map(({ attempt, lastFailure }) => [attempt, lastFailure?.message]),
    [[3, 'attempt 2']],
  );
}

export async function activityFailure(scene: Scene): Promise<void> {
  const handle = await scene.start(failing, []);
  await assert.rejects(handle.result(), (error) => {
    assert.ok(error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure);
    assert.equal(error.cause.retryState, RetryState.NON_RETRYABLE_FAILURE);
    return isOutOfPaper(error.cause.cause);
  });
}

/** Checks that the error is the failure of the activity `fail`, with its type and details. */
export function isOutOfPaper(error: unknown): true {
  assert.ok(error instanceof ApplicationFailure);
  assert.deepEqual([error.type, error.message, error.details], ['Paper', 'out of paper', ['tray 2']]);
  return true;
}

export async function asyncCompletion(scene: Scene): Promise<void> {
  const handle = await scene.start(awaiting, []);
  const token = await eventually(async () => tokens.get(scene.id));
  await scene.client.activity.complete(token, 'done elsewhere');
  assert.equal(await handle.result(), 'done elsewhere');
}

export async function localActivity(scene: Scene): Promise<void> {
  assert.equal(await (await scene.start(locally, [])).result(), 3);
  const expected = [...firstTask, 'MARKER_RECORDED', 'WORKFLOW_EXECUTION_COMPLETED'];
  assert.deepEqual(namesOf(await scene.events()), expected);
}

export async function longLocalActivity(scene: Scene): Promise<void> {
  const handle = await scene.start(prolonged, [], { workflowTaskTimeout: '2s' });
  assert.ok((await handle.result()) >= 2);
  assert.equal((await scene.eventsOf(EventType.EVENT_TYPE_MARKER_RECORDED)).length, 1);
}

export async function timer(scene: Scene): Promise<void> {
  await (await scene.start(napping, [])).result();
  const timers = ['TIMER_STARTED', 'TIMER_STARTED', 'TIMER_FIRED'];
  const expected = [...firstTask, ...timers, ...nextTask, 'TIMER_CANCELED', 'WORKFLOW_EXECUTION_COMPLETED'];
  assert.deepEqual(namesOf(await scene.events()), expected);
}
