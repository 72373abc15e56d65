import type { Client, Workflow, WorkflowHandleWithFirstExecutionRunId, WorkflowStartOptions } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import {
  bundleWorkflowCode,
  type NativeConnection,
  Worker,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import { newActivities } from './activities';

export type Event = temporal.api.history.v1.IHistoryEvent;
export const EventType = temporal.api.enums.v1.EventType;

const bundles = new Map<string, Promise<WorkflowBundleWithSourceMap>>();

/** The workflows of a module, bundled once. */
function bundled(module: string): Promise<WorkflowBundleWithSourceMap> {
  const bundle = bundles.get(module) ?? bundleWorkflowCode({ workflowsPath: require.resolve(module) });
  bundles.set(module, bundle);
  return bundle;
}

/** What a case works with: a client, the task queue of a worker, and a workflow id of its own. */
export class Scene {
  constructor(
    readonly client: Client,
    private readonly native: NativeConnection,
    readonly queue: string,
    readonly id: string,
  ) {}

  /** The same scene with another workflow id. */
  named(name: string): Scene {
    return new Scene(this.client, this.native, this.queue, `${this.id}-${name}`);
  }

  /** The same scene with another task queue. */
  queued(name: string): Scene {
    return new Scene(this.client, this.native, `${this.queue}-${name}`, this.id);
  }

  async start<T extends Workflow>(
    workflow: T | string,
    args: Parameters<T>,
    options: Partial<WorkflowStartOptions> = {},
  ): Promise<WorkflowHandleWithFirstExecutionRunId<T>> {
    const all = { taskQueue: this.queue, workflowId: this.id, args, ...options } as unknown as WorkflowStartOptions<T>;
    return await this.client.workflow.start<T>(workflow, all);
  }

  /** Runs a worker with the workflows of a module while `work` is done. */
  async working<T>(module: string, work: () => Promise<T>, options: Partial<WorkerOptions> = {}): Promise<T> {
    const worker = await Worker.create({
      connection: this.native,
      taskQueue: this.queue,
      workflowBundle: await bundled(module),
      activities: newActivities(this.client),
      maxHeartbeatThrottleInterval: 100,
      ...options,
    });
    return await worker.runUntil(work);
  }

  /** The history of a run as it is now; of the newest run when none is given. */
  async events(runId?: string): Promise<Event[]> {
    return (await this.client.workflow.getHandle(this.id, runId).fetchHistory()).events ?? [];
  }

  async eventsOf(kind: number): Promise<Event[]> {
    return (await this.events()).filter((event) => event.eventType === kind);
  }

  async status(runId?: string): Promise<string> {
    return (await this.client.workflow.getHandle(this.id, runId).describe()).status.name;
  }
}

/** The types of events, without their prefix. */
export function namesOf(events: Event[]): string[] {
  return events.map((event) => EventType[event.eventType ?? 0].replace('EVENT_TYPE_', ''));
}

/** Looks until there is something, and returns it. */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
