import { condition, defineSignal, patched, setHandler } from '@temporalio/workflow';

export async function patchedWorkflow(): Promise<string> {
  let ended = false;
  setHandler(defineSignal('end'), () => {
    ended = true;
  });
  const result = patched('new-way') ? 'new' : 'old';
  await condition(() => ended);
  return result;
}
