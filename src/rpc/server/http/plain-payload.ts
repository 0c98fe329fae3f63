/**
 * Lets callers who write JSON by hand write a payload as `{"json": …}` in place of its content type and its bytes in
 * base64. It is not a field of the API: it becomes `contentType` and `bytes` before the message is read.
 */
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { HoldfastError, invalid } from '../../../core/errors.ts';
import { PayloadSchema } from '../../gen/holdfast/v1/task_pb.ts';
import { services } from '../grpc/grpc.ts';
import { connectError } from './connect-error.ts';
import type { Request } from './receive-body.ts';

type Json = Readonly<Record<string, unknown>>;

/** JSON.parse passes each number's text since ECMAScript 2025, of which TypeScript's library does not know yet. */
const { parse, rawJSON } = JSON as unknown as {
  parse(
    text: string,
    revive: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};

const key = '"json"';
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The messages of unary requests that hold a payload, by their paths. */
const requests: ReadonlyMap<string, DescMessage> = new Map(
  services.flatMap(({ typeName, methods }) =>
    methods
      .filter(({ methodKind, input }) => methodKind === 'unary' && holdsPayload(input))
      .map(({ name, input }) => [`/${typeName}/${name}`, input] as const),
  ),
);

/** Reads a body and returns the one that Connect is to read in its place. */
export type RewriteBody = (body: AsyncIterable<Buffer>) => AsyncIterator<Buffer>;

/**
 * Returns the function by which the body of a request to the path is rewritten, if it is JSON that may hold a payload. A
 * compressed body is left as it is.
 */
export function plainPayloads({ headers }: Request, path: string): RewriteBody | undefined {
  const message = requests.get(path);
  if (message === undefined || headers['content-encoding'] !== undefined) return undefined;
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? '')) return undefined;
  // Connect would compare it with the length of the rewritten body.
  delete headers['content-length'];
  return (body) => rewritten(body, message);
}

async function* rewritten(body: AsyncIterable<Buffer>, message: DescMessage): AsyncGenerator<Buffer> {
  const whole = Buffer.concat(await Array.fromAsync(body));
  yield whole.includes(key) ? rewrite(whole, message) : whole;
}

function rewrite(body: Buffer, message: DescMessage): Buffer {
  try {
    return Buffer.from(JSON.stringify(inMessage(parsed(body), message, '')));
  } catch (thrown) {
    // Connect says what is wrong with JSON that cannot be decoded or parsed.
    if (thrown instanceof SyntaxError || thrown instanceof TypeError) return body;
    throw connectError(thrown instanceof HoldfastError ? thrown : tooDeep(thrown));
  }
}

/** Parses JSON and keeps each number as it is written, since a number of JavaScript may not hold it. */
function parsed(body: Buffer): unknown {
  return parse(decoder.decode(body), (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined ? rawJSON(source) : value,
  );
}

function inMessage(value: unknown, message: DescMessage, path: string): unknown {
  if (!isObject(value)) return value;
  if (message.typeName === PayloadSchema.typeName) return inPayload(value, path);
  const entries = Object.entries(value).map(([name, part]) => {
    const field = fieldOf(message, name);
    const at = path === '' ? name : `${path}.${name}`;
    return [name, field?.message === undefined ? part : inField(part, field, field.message, at)];
  });
  return Object.fromEntries(entries);
}

function inField(value: unknown, field: DescField, message: DescMessage, path: string): unknown {
  if (field.fieldKind === 'list' && Array.isArray(value))
    return value.map((item, i) => inMessage(item, message, `${path}[${i}]`));
  return inMessage(value, message, path);
}

function inPayload(payload: Json, path: string): unknown {
  if (!Object.hasOwn(payload, 'json')) return payload;
  const { json, ...others } = payload;
  const [other] = Object.keys(others);
  if (other !== undefined)
    throw invalid([{ field: path, description: `has 'json' and '${other}'; give 'json' alone, or 'bytes'` }]);
  const bytes = Buffer.from(JSON.stringify(json)).toString('base64');
  return { contentType: 'application/json', bytes };
}

function fieldOf(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.jsonName === name || field.name === name);
}

function holdsPayload(message: DescMessage): boolean {
  if (message.typeName === PayloadSchema.typeName) return true;
  return message.fields.some((field) => field.message !== undefined && holdsPayload(field.message));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRaw(value);
}

const { isRawJSON: isRaw } = JSON as unknown as { isRawJSON(value: unknown): boolean };

function tooDeep(cause: unknown): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_JSON', 'The JSON of the request is nested too deeply.', {
    cause,
    help: 'Send less deeply nested JSON, or the payload as bytes.',
  });
}
