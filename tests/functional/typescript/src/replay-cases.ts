import assert from 'node:assert/strict';
import { EventType, eventually, type Scene } from './scene';
import type * as afterPatch from './after-patch';
import { drawing } from './workflows';

/** A worker without a cache asks for the whole history each time, and replays it. */
export async function replay(everywhere: Scene): Promise<void> {
  const scene = everywhere.queued('uncached');
  const drawsOnce = async () => {
    const handle = await scene.start(drawing, []);
    await eventually(async () => (await scene.eventsOf(EventType.EVENT_TYPE_TIMER_FIRED)).length);
    const before = await handle.query<number>('draw');
    assert.equal(await handle.query<number>('draw'), before);
    await handle.signal('end');
    assert.equal(await handle.result(), before);
    assert.equal((await scene.eventsOf(EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED)).length, 0);
  };
  await scene.working('./workflows', drawsOnce, { maxCachedWorkflows: 0 });
}

/** A run of the code before the patch goes on as it began when the worker has the code after it. */
export async function versioning(everywhere: Scene): Promise<void> {
  const scene = everywhere.queued('versions');
  const [old, young] = [scene.named('old'), scene.named('new')];
  const workflow = 'patchedWorkflow';
  const oldRun = await scene.working('./before-patch', async () => {
    const handle = await old.start<typeof afterPatch.patchedWorkflow>(workflow, []);
    await eventually(async () => (await old.eventsOf(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)).length);
    return handle;
  });
  const youngRun = await scene.working('./after-patch', async () => {
    const handle = await young.start<typeof afterPatch.patchedWorkflow>(workflow, []);
    await eventually(async () => (await young.eventsOf(EventType.EVENT_TYPE_MARKER_RECORDED)).length);
    return handle;
  });
  await scene.working('./after-patch', async () => {
    await Promise.all([oldRun.signal('end'), youngRun.signal('end')]);
    assert.equal(await oldRun.result(), 'old');
    assert.equal(await youngRun.result(), 'new');
  });
  const query = `TemporalChangeVersion = 'new-way' AND WorkflowId = '${young.id}'`;
  await eventually(async () => (await scene.client.workflow.count(query)).count);
}
