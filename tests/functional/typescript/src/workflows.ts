import {
  ActivityCancellationType,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities } from './activities';
import { label } from './label';

const activities = proxyActivities<Activities>({
  startToCloseTimeout: '1m',
  heartbeatTimeout: '1m',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  retry: { initialInterval: 20 },
});
const local = proxyLocalActivities<Activities>({ startToCloseTimeout: '1m', retry: { initialInterval: 20 } });

export async function hello(name: string): Promise<string> {
  return await activities.compose(name);
}

export async function retrying(): Promise<number> {
  return await activities.flaky();
}

export async function failing(): Promise<void> {
  await activities.fail();
}

export async function awaiting(): Promise<string> {
  return await activities.elsewhere();
}

export async function locally(): Promise<number> {
  return await local.flaky();
}

export async function prolonged(): Promise<number> {
  return await local.outlastTask();
}

/** Waits for one timer and cancels another. */
export async function napping(): Promise<void> {
  const longer = new CancellationScope();
  const late = longer.run(() => sleep('1h'));
  await sleep(50);
  longer.cancel();
  await late.then(
    () => Promise.reject(ApplicationFailure.nonRetryable('the cancelled timer fired')),
    () => undefined,
  );
}

export const heardQuery = defineQuery<string, [string]>('heard');
export const saySignal = defineSignal<[string]>('say');
export const sayUpdate = defineUpdate<number, [string]>('say');

/** Hears words by signal and by update until the word is "end"; the query tells them. */
export async function conversation(): Promise<string> {
  const heard: string[] = [];
  setHandler(heardQuery, (separator) => {
    if (separator === '') throw new Error('a separator is needed');
    return heard.join(separator);
  });
  setHandler(saySignal, (word) => {
    heard.push(word);
  });
  setHandler(
    sayUpdate,
    (word) => {
      if (word === 'cough') throw ApplicationFailure.create({ message: 'bless you', type: 'Cough' });
      return heard.push(word);
    },
    {
      validator: (word) => {
        if (word === '') throw new Error('silence');
      },
    },
  );
  await condition(() => heard.at(-1) === 'end');
  return heard.join(' ');
}

/** Runs a child that succeeds and one that fails. */
export async function parent(): Promise<string> {
  const greeting = await executeChild(hello, { args: ['child'] });
  await executeChild(failing);
  return greeting;
}

/** Signals one workflow and cancels another; returns what became of a signal to nobody. */
export async function commander(listener: string, victim: string): Promise<string> {
  await getExternalWorkflowHandle(listener).signal(saySignal, 'end');
  await getExternalWorkflowHandle(victim).cancel();
  try {
    await getExternalWorkflowHandle(`${listener}-nobody`).signal(saySignal, 'end');
  } catch {
    return 'nobody heard';
  }
  return 'somebody heard';
}

export async function countdown(left: number): Promise<string | undefined> {
  if (left > 0) await continueAsNew<typeof countdown>(left - 1);
  return workflowInfo().continuedFromExecutionRunId;
}

/** Runs an activity until it is cancelled, then cleans up, if it is told so. */
export async function careful(cleanUp: boolean): Promise<string> {
  try {
    await activities.forever();
  } catch (error) {
    if (!cleanUp || !isCancellation(error)) throw error;
  }
  return await CancellationScope.nonCancellable(() => activities.compose('broom'));
}

/** Fails before its third attempt. */
export async function stubborn(): Promise<number> {
  const { attempt } = workflowInfo();
  if (attempt < 3) throw ApplicationFailure.create({ message: 'not yet' });
  return attempt;
}

/** Counts its runs by what the last one returned. */
export async function ticking(): Promise<number> {
  return (workflowInfo().lastResult as number | undefined ?? 0) + 1;
}

export async function labelled(value: string): Promise<void> {
  upsertSearchAttributes([{ key: label, value }]);
  upsertMemo({ label: value });
}

/** Draws a number, tells it when it is asked, and returns it when it is told the end. */
export async function drawing(): Promise<number> {
  const drawn = Math.random();
  let ended = false;
  setHandler(defineQuery<number>('draw'), () => drawn);
  setHandler(defineSignal('end'), () => {
    ended = true;
  });
  await sleep(1);
  await condition(() => ended);
  return drawn;
}
