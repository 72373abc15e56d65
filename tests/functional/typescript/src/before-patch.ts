import { condition, defineSignal, setHandler } from '@temporalio/workflow';

export async function patchedWorkflow(): Promise<string> {
  let ended = false;
  setHandler(defineSignal('end'), () => {
    ended = true;
  });
  await condition(() => ended);
  return 'old';
}
