import type { TaskType } from '../client/contract/task.ts';
import { type Duration, optionalMs } from '../client/duration.ts';
import { asHoldfastError, HoldfastError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { requireValid, whole } from '../core/rules.ts';
import { systemClock } from '../platform/clock.ts';
import { findTask } from './find-task.ts';
import { type Authorize, type ClientOrClients, clientOf, grantOf } from './grant.ts';
import { problem, problemOf, statusOfError } from './problem.ts';
import { type Route, routeOf } from './route.ts';
import { submitTask } from './submit-task.ts';
import { type Shown, taskJson } from './task-json.ts';
import { EventStreams } from './watch-task.ts';

/** Options of `fetchHandler`. */
export interface FetchHandlerOptions {
  /** The task types that callers may submit and read. Tasks of other types do not exist for them. */
  readonly tasks: readonly TaskType[];
  /** Decides about each call before its body is read. */
  readonly authorize: Authorize;
  /** The path below which the calls are. Default: `/tasks`. */
  readonly basePath?: string | undefined;
  /** The largest body of a submission in bytes, at most 256 KiB, which is the default. */
  readonly maxBodyBytes?: number | undefined;
  /** True to show callers the messages of failed attempts, which may tell what your systems are. Default: false. */
  readonly showErrors?: boolean | undefined;
  /** The interval of comments on an event stream without events. Default: 15 s. */
  readonly keepAlive?: Duration | undefined;
  /** Called for each error whose cause is not the caller: of the connection, of the configuration, of `authorize`. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** Answers a request. It never rejects. */
export type WebHandler = (request: Request) => Promise<Response>;

const keepAliveDefaultMs = 15_000;
const bodyRule = whole(1, limits.payloadBytes, 'bytes');

/**
 * Returns a handler of HTTP requests that submits tasks, reads them and streams their events: `POST /tasks/{type}`,
 * `GET /tasks/{id}`, `GET /tasks/{id}/events`. Every refusal is a problem document (RFC 9457). `client` is a client, or a
 * function that returns the client of the tenant that `authorize` names.
 *
 * @throws HoldfastError INVALID_ARGUMENT if an option is out of range.
 *
 * @example
 * ```ts
 * const handler = fetchHandler(client, {
 *   tasks: [sendEmail],
 *   authorize: async (request) => ({ owner: await userOf(request) }),
 * });
 * app.all('/tasks/*', (context) => handler(context.req.raw));
 * ```
 */
export function fetchHandler(client: ClientOrClients, options: FetchHandlerOptions): WebHandler {
  const { authorize, basePath = '/tasks', maxBodyBytes = limits.payloadBytes, onError = () => {} } = options;
  ensureParts(options);
  requireValid('maxBodyBytes', bodyRule, maxBodyBytes);
  ensurePath(basePath);
  const tasks = new Map(options.tasks.map((task) => [task.name, task]));
  const types: ReadonlySet<string> = new Set(tasks.keys());
  const shown: Shown = { errors: options.showErrors ?? false };
  const keepAliveMs = optionalMs(options.keepAlive, 'keepAlive') ?? keepAliveDefaultMs;
  const streams = new EventStreams({
    most: limits.webEventStreams,
    clock: systemClock(),
    shown,
    keepAliveMs,
    onError,
  });

  async function answer(request: Request, route: Route): Promise<Response> {
    const task = route.action === 'submit' ? tasks.get(route.type) : undefined;
    const grant = await grantOf(authorize, request, route);
    if (grant instanceof Response) return grant;
    const parts = { client: clientOf(client, grant), grant, types };
    if (route.action === 'watch') return streams.answer(route.id, request, parts);
    if (route.action === 'submit') {
      if (task === undefined) return unknownType(route.type);
      return submitTask(request, { ...parts, task, basePath, maxBodyBytes });
    }
    const status = await findTask(route.id, request.signal, parts);
    if (status instanceof Response) return status;
    return Response.json(taskJson(status, shown), { headers: { 'cache-control': 'no-store' } });
  }

  return async (request) => {
    try {
      const route = routeOf(request, basePath);
      return route instanceof Response ? route : await answer(request, route);
    } catch (thrown) {
      if (statusOfError(asHoldfastError(thrown)) >= 500 && !request.signal.aborted) onError(thrown);
      return problemOf(thrown);
    }
  };
}

function unknownType(type: string): Response {
  return problem(404, `There is no task type '${type.slice(0, 64)}'.`, { reason: 'TASK_NOT_FOUND' });
}

function ensurePath(basePath: string): void {
  if (basePath === '' || /^(\/[^/?#]+)+$/.test(basePath)) return;
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `'${basePath}' is no base path.`, {
    help: "Give fetchHandler a path that begins and does not end with a slash, such as '/api/tasks'.",
  });
}

/** A caller in JavaScript may leave out anything; without `authorize` nobody would decide who may do what. */
function ensureParts({ authorize, tasks }: Partial<FetchHandlerOptions>): void {
  if (typeof authorize === 'function' && Array.isArray(tasks) && tasks.every((task) => task?.contract))
    return;
  const what = typeof authorize === 'function' ? 'a list of task types as `tasks`' : 'a function `authorize`';
  throw new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', `fetchHandler has not got ${what}.`, {
    help: 'Write fetchHandler(client, { tasks: [sendEmail], authorize: (request) => … }).',
  });
}
