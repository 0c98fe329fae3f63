import {
  defineTask,
  defineWorker,
  type Handler,
  TaskFailedError,
  typed,
  type WorkerOptions,
} from '../../src/index.ts';
import { type ClientServer, startClientServer } from './client-server.ts';

export const job = defineTask('job', { input: typed<{ n: number }>(), output: typed<{ twice: number }>() });

export async function working(handlers: Handler[], more: Partial<WorkerOptions> = {}): Promise<ClientServer> {
  const it = await startClientServer();
  await it.client.work(defineWorker({ handlers, ...more }));
  return it;
}

export async function kindsOf({ client, until }: ClientServer, id: string): Promise<string[]> {
  const kinds: string[] = [];
  const read = async (): Promise<void> => {
    for await (const event of client.task(id).events()) kinds.push(event.kind);
  };
  await until(read());
  return kinds;
}

export async function failureOf(promise: Promise<unknown>): Promise<TaskFailedError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof TaskFailedError) return thrown;
  throw new Error(`no TaskFailedError was thrown, but ${String(thrown)}`);
}
