import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Clock } from '../../ports/clock.ts';
import type { BackendSettings } from './settings.ts';
import { isTooDeep } from './shallow-json.ts';

/** The bounds of one request. */
export interface RequestBounds {
  readonly clock: Pick<Clock, 'after'>;
  /** The time in ms in which the back end must have answered. */
  readonly answerMs: number;
  /** The most bytes of an answer. */
  readonly answerBytes: number;
}

interface BackendRequest {
  /** The path with its query, below the back end's address. */
  readonly path: string;
  readonly accept?: string | undefined;
  /** The fields of a form that is posted; undefined: a GET. */
  readonly form?: Readonly<Record<string, string>> | undefined;
}

export interface BackendAnswer {
  readonly status: number;
  readonly text: string;
}

/**
 * Sends one request to a back end, bounded in time and bytes. Redirects are not followed, since headers may have secrets.
 * Rejects with an Error whose message is the end of a sentence about the back end.
 */
export async function send(
  { url, headers, ca }: BackendSettings,
  { path, accept = 'application/json', form }: BackendRequest,
  { clock, answerMs, answerBytes }: RequestBounds,
): Promise<BackendAnswer> {
  const target = new URL(url + path);
  const body = form === undefined ? undefined : new URLSearchParams(form).toString();
  const { promise, resolve, reject } = Promise.withResolvers<BackendAnswer>();
  const call = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
    method: body === undefined ? 'GET' : 'POST',
    agent: false,
    headers: {
      accept,
      ...headers,
      ...(body !== undefined && { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(ca !== undefined && { ca }),
  });
  const fail = (message: string): void => {
    reject(new Error(message));
    call.destroy();
  };
  const cancelTimer = clock.after(answerMs, () => fail(`did not answer within ${answerMs / 1_000} s`));
  call.on('error', (error: NodeJS.ErrnoException) =>
    fail(`cannot be reached (${error.code ?? error.message})`),
  );
  call.on('response', (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > answerBytes) fail(`answered with more than ${answerBytes / 1_048_576} MiB`);
      else chunks.push(chunk);
    });
    response.on('error', () => fail('ended its answer too early'));
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
    );
  });
  call.end(body);
  return promise.finally(cancelTimer);
}

/** Returns the text of an answer. Throws an Error if its status says that the back end has refused or failed the request. */
export function bodyOf({ status, text }: BackendAnswer): string {
  if (status >= 200 && status < 300) return text;
  const [line = ''] = text.trim().split('\n');
  throw new Error(`answered with status ${status}${line === '' ? '' : `: ${line.slice(0, 120)}`}`);
}

export function parsed(text: string): unknown {
  if (isTooDeep(text)) throw new Error('answered with JSON that is nested too deeply');
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('answered with a text that is no JSON');
  }
}
