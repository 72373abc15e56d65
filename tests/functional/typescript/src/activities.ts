import { activityInfo, ApplicationFailure, CompleteAsyncError, Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';
import { EventType, eventually } from './scene';

/** Tokens of the activities that somebody else is to complete, by the ids of their workflows. */
export const tokens = new Map<string, Uint8Array>();

export type Activities = ReturnType<typeof newActivities>;

export function newActivities(client: Client) {
  return {
    async compose(name: string): Promise<string> {
      return `Hello, ${name}!`;
    },

    /** Fails before its third attempt. */
    async flaky(): Promise<number> {
      const { attempt } = activityInfo();
      if (attempt < 3) throw new Error(`attempt ${attempt}`);
      return attempt;
    },

    async fail(): Promise<void> {
      throw ApplicationFailure.nonRetryable('out of paper', 'Paper', 'tray 2');
    },

    async elsewhere(): Promise<string> {
      const { taskToken, workflowExecution } = activityInfo();
      tokens.set(workflowExecution!.workflowId, taskToken);
      throw new CompleteAsyncError();
    },

    /** Heartbeats until it is cancelled. */
    async forever(): Promise<void> {
      const context = Context.current();
      for (;;) {
        context.heartbeat('still here');
        await context.sleep(50);
      }
    },

    /** Lasts until the worker has prolonged the workflow task in which it runs. */
    async outlastTask(): Promise<number> {
      const { workflowId, runId } = activityInfo().workflowExecution!;
      return await eventually(async () => {
        const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
        const completed = events!.filter((event) => event.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
        return completed.length >= 2 ? completed.length : undefined;
      });
    },
  };
}
