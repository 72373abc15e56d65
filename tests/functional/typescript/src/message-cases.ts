import assert from 'node:assert/strict';
import {
  QueryNotRegisteredError,
  WithStartWorkflowOperation,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateStage,
} from '@temporalio/client';
import { ApplicationFailure, type WorkflowIdConflictPolicy } from '@temporalio/common';
import { EventType, type Scene } from './scene';
import { conversation, heardQuery, saySignal, sayUpdate } from './workflows';

export async function signal(scene: Scene): Promise<void> {
  const handle = await scene.start(conversation, []);
  for (const word of ['one', 'two', 'end']) await handle.signal(saySignal, word);
  assert.equal(await handle.result(), 'one two end');
  await assert.rejects(handle.signal(saySignal, 'late'), WorkflowNotFoundError);
}

export async function signalWithStart(scene: Scene): Promise<void> {
  const saying = (word: string) =>
    scene.client.workflow.signalWithStart(conversation, {
      workflowId: scene.id,
      taskQueue: scene.queue,
      signal: saySignal,
      signalArgs: [word],
    });
  const first = await saying('one');
  const second = await saying('end');
  assert.equal(second.signaledRunId, first.signaledRunId);
  assert.equal(await first.result(), 'one end');
}

export async function query(scene: Scene): Promise<void> {
  const handle = await scene.start(conversation, []);
  assert.equal(await handle.query(heardQuery, '+'), '');
  await handle.signal(saySignal, 'one');
  assert.equal(await handle.query(heardQuery, '+'), 'one');
  await assert.rejects(handle.query(heardQuery, ''), QueryNotRegisteredError);
  await assert.rejects(handle.query('colour'), QueryNotRegisteredError);
  await handle.signal(saySignal, 'end');
  await handle.result();
  assert.equal(await handle.query(heardQuery, '+'), 'one+end');
}

export async function update(scene: Scene): Promise<void> {
  const handle = await scene.start(conversation, []);
  assert.equal(await handle.executeUpdate(sayUpdate, { args: ['one'] }), 1);
  await assert.rejects(handle.executeUpdate(sayUpdate, { args: [''] }), failedWith('silence', 'Error'));
  await assert.rejects(handle.executeUpdate(sayUpdate, { args: ['cough'] }), failedWith('bless you', 'Cough'));
  const updateId = 'the-end';
  await handle.startUpdate(sayUpdate, { args: ['end'], updateId, waitForStage: WorkflowUpdateStage.ACCEPTED });
  assert.equal(await handle.result(), 'one end');
  assert.equal(await handle.getUpdateHandle<number>(updateId).result(), 2);
  assert.equal((await scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED)).length, 3);
}

function failedWith(message: string, type: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure);
    assert.deepEqual([error.cause.message, error.cause.type], [message, type]);
    return true;
  };
}

export async function updateWithStart(scene: Scene): Promise<void> {
  const said = (word: string, workflowIdConflictPolicy: WorkflowIdConflictPolicy) => {
    const { id: workflowId, queue: taskQueue } = scene;
    const startWorkflowOperation = new WithStartWorkflowOperation(conversation, {
      workflowId,
      taskQueue,
      workflowIdConflictPolicy,
    });
    return scene.client.workflow.executeUpdateWithStart(sayUpdate, { args: [word], startWorkflowOperation });
  };
  assert.equal(await said('one', 'FAIL'), 1);
  assert.equal(await said('two', 'USE_EXISTING'), 2);
  await assert.rejects(said('three', 'FAIL'), WorkflowExecutionAlreadyStartedError);
  const handle = scene.client.workflow.getHandle<typeof conversation>(scene.id);
  await handle.signal(saySignal, 'end');
  assert.equal(await handle.result(), 'one two end');
}
