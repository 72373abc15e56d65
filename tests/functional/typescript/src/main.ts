// The cases of the TypeScript SDK against the server at an address; one line a case, status 1 when one failed.
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import * as activities from './activity-cases';
import * as closing from './closing-cases';
import * as messages from './message-cases';
import { replay, versioning } from './replay-cases';
import { Scene } from './scene';

const patienceMs = 60_000;

const cases: [string, (scene: Scene) => Promise<void>][] = [
  ['hello', activities.hello],
  ['activity-retry', activities.activityRetry],
  ['activity-failure', activities.activityFailure],
  ['async-completion', activities.asyncCompletion],
  ['local-activity', activities.localActivity],
  ['long-local-activity', activities.longLocalActivity],
  ['timer', activities.timer],
  ['signal', messages.signal],
  ['signal-with-start', messages.signalWithStart],
  ['query', messages.query],
  ['update', messages.update],
  ['update-with-start', messages.updateWithStart],
  ['child-workflow', closing.childWorkflow],
  ['external-workflow', closing.externalWorkflow],
  ['continue-as-new', closing.continueAsNew],
  ['cancel', closing.cancel],
  ['terminate', closing.terminate],
  ['already-started', closing.alreadyStarted],
  ['workflow-retry', closing.workflowRetry],
  ['cron', closing.cron],
  ['visibility', closing.visibility],
  ['replay', replay],
  ['versioning', versioning],
];

async function runAll(address: string): Promise<number> {
  Runtime.install({
    logger: new DefaultLogger('WARN', (entry) => console.error(entry.level, entry.message, entry.meta)),
    telemetryOptions: { logging: { filter: 'WARN', forward: {} } },
  });
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const queue = `ts-${randomUUID().slice(0, 8)}`;
  const scene = new Scene(new Client({ connection }), native, queue, queue);
  let failed = 0;
  try {
    await scene.working('./workflows', async () => {
      for (const [name, run] of cases) {
        try {
          await within(patienceMs, run(scene.named(name)));
          console.log(`ok ${name}`);
        } catch (error) {
          failed += 1;
          console.log(`FAILED ${name}: ${String(error).split('\n').join(' ')}`);
          console.error(error);
        }
      }
    });
  } finally {
    await native.close();
    await connection.close();
  }
  return failed;
}

async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

const [address, ...rest] = process.argv.slice(2);
if (address === undefined || rest.length > 0) {
  console.error('usage: main HOST:PORT');
  process.exit(2);
}
runAll(address).then(
  (failed) => process.exit(failed > 0 ? 1 : 0),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
