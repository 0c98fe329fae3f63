import { messageOf } from '../core/untrusted.ts';
import { problem } from './problem.ts';

const jsonType = /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;

/**
 * Reads the body of a request as JSON, at most `mostBytes` of it. Returns the refusal instead if it is of another type, too
 * large or not JSON. A web page of another site cannot send this type without asking first (CORS).
 */
export async function readJson(
  { headers, body }: Request,
  mostBytes: number,
): Promise<{ readonly value: unknown } | Response> {
  if (!jsonType.test(headers.get('content-type') ?? ''))
    return problem(
      415,
      'Send the input as application/json.',
      { reason: 'BAD_FIELD' },
      { 'accept-post': 'application/json' },
    );
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity')
    return problem(415, 'Send the input without a content-encoding.', { reason: 'BAD_FIELD' });
  if (Number(headers.get('content-length') ?? 0) > mostBytes) return tooLarge(mostBytes);
  const bytes = await readBytes(body, mostBytes);
  if (bytes === undefined) return tooLarge(mostBytes);
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch (thrown) {
    return problem(400, `The body is not JSON: ${messageOf(thrown)}.`, { reason: 'BAD_JSON' });
  }
}

/** Returns the whole body, or undefined as soon as it has more than `mostBytes`. */
async function readBytes(body: Request['body'], mostBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (body === null) return Buffer.alloc(0);
  // The rest of a body that is too large stays unread: to cancel it could end the connection before the answer.
  for await (const chunk of body.values({ preventCancel: true })) {
    length += chunk.length;
    if (length > mostBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(mostBytes: number): Response {
  return problem(413, `The body may have ${mostBytes.toLocaleString('en')} bytes.`, { reason: 'TOO_LARGE' });
}
