import type { Client } from '../client/client.ts';
import type { TaskType } from '../client/contract/task.ts';
import { check } from '../client/contract/validate.ts';
import type { SubmittedTask } from '../client/tasks/task-handle.ts';
import { asHoldfastError } from '../core/errors.ts';
import { type Grant, submissionOf } from './grant.ts';
import { idempotencyKeyOf } from './idempotency-key.ts';
import { problem } from './problem.ts';
import { readJson } from './read-json.ts';

export interface SubmitParts {
  readonly client: Client;
  readonly grant: Grant;
  readonly task: TaskType;
  readonly basePath: string;
  readonly maxBodyBytes: number;
}

/** Answers a submission: 202 with the id, or the refusal. */
export async function submitTask(request: Request, parts: SubmitParts): Promise<Response> {
  const { task, grant, client, basePath, maxBodyBytes } = parts;
  const body = await readJson(request, maxBodyBytes);
  if (body instanceof Response) return body;
  const refusal = await refusalOf(task, body.value);
  if (refusal !== undefined) return refusal;
  const key = idempotencyKeyOf(request, task, body.value);
  if (key instanceof Response) return key;
  const traceparent = request.headers.get('traceparent') ?? undefined;
  try {
    const options = { ...submissionOf(grant, key.key), traceparent };
    return accepted(await client.submit(task, body.value as never, options), basePath);
  } catch (thrown) {
    const { reason, taskId } = asHoldfastError(thrown);
    if (reason !== 'KEY_REUSED') throw thrown;
    const detail = `The Idempotency-Key belongs to another request, task ${taskId}. Use another key, or repeat that request.`;
    return problem(409, detail, { reason, taskId });
  }
}

/** Returns the refusal of an input that does not fit the task type. */
async function refusalOf(task: TaskType, input: unknown): Promise<Response | undefined> {
  const checked = await check(task.input, input);
  if (checked.ok) return undefined;
  const errors = checked.violations.map(({ field, description }) => ({ field, detail: description }));
  return problem(422, `The input does not fit '${task.name}'.`, { reason: 'BAD_FIELD', errors });
}

function accepted({ id, state, deduplicated }: SubmittedTask<unknown>, basePath: string): Response {
  const location = `${basePath}/${encodeURIComponent(id)}`;
  return Response.json(
    { id, state, deduplicated, url: location, eventsUrl: `${location}/events` },
    { status: 202, headers: { location, 'cache-control': 'no-store' } },
  );
}
