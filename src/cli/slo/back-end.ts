import { readFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { HoldfastError } from '../../core/errors.ts';
import { messageOf } from '../../core/untrusted.ts';

/** A back end of telemetry that the command asks over HTTP. */
export interface BackEnd {
  /** The name of the product for people, such as `Prometheus`. */
  readonly product: string;
  /** The start of the URLs of its API, with a slash at its end. */
  readonly base: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** The PEM text of the authority that issued its certificate; undefined: the authorities that Node trusts. */
  readonly ca: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The longest time that a back end may take to answer. */
const answerWithinMs = 10_000;
/** The most bytes of an answer that are read. */
const answerBytes = 8 * 1_048_576;

function configuration(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
}

/**
 * Returns the back end that a flag or the environment names: HOLDFAST_<NAME>_URL, with HOLDFAST_<NAME>_HEADERS
 * (`name=value,name=value`, percent-encoded) and HOLDFAST_<NAME>_CA (a file). Returns undefined if none is named.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the URL, the headers or the file cannot be used. No error contains a
 * header's value or a password of the URL.
 */
export function backEndFrom(
  env: Environment,
  product: string,
  flag: string | undefined,
): BackEnd | undefined {
  const prefix = `HOLDFAST_${product.toUpperCase()}`;
  const text = flag ?? env[`${prefix}_URL`];
  if (text === undefined || text === '') return undefined;
  const base = URL.canParse(text) ? new URL(text) : undefined;
  if (base === undefined || !/^https?:$/.test(base.protocol) || base.hostname === '') {
    const where = flag === undefined ? `${prefix}_URL` : `The URL of ${product}`;
    throw configuration(`${where} is no http or https URL.`, 'Write http://host:port or https://host:port.');
  }
  base.search = '';
  base.hash = '';
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const headers = headersIn(env[`${prefix}_HEADERS`] ?? '', `${prefix}_HEADERS`);
  return { product, base, headers, ca: fileIn(env[`${prefix}_CA`], `${prefix}_CA`) };
}

const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

function headersIn(text: string, variable: string): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',').filter((one) => one.trim() !== '')) {
    const at = pair.indexOf('=');
    const name = pair.slice(0, Math.max(0, at)).trim();
    const value = decoded(pair.slice(at + 1).trim());
    if (!headerName.test(name) || value === undefined) {
      throw configuration(
        `${variable} is no list of headers.`,
        'Write name=value, several with commas; write a comma or a space of a value as %2C or %20.',
      );
    }
    headers[name] = value;
  }
  return headers;
}

/** Decodes a percent-encoded value of a header; undefined if it is malformed or has a control character. */
function decoded(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text);
    return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function fileIn(path: string | undefined, variable: string): string | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    throw configuration(
      `The file of ${variable} cannot be read: ${messageOf(thrown)}.`,
      'Name a PEM file, or unset the variable.',
    );
  }
}

/** The address of a back end for people, without a password. */
export function addressOf({ base }: BackEnd): string {
  return `${base.origin}${base.pathname}`.replace(/\/$/, '');
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * Sends a form to a path of the back end and returns its answer, of whatever status.
 *
 * @throws HoldfastError UNAVAILABLE, reason UNREACHABLE, if there is no whole answer within 10 s.
 * @throws HoldfastError PERMISSION_DENIED if the back end wants other credentials.
 */
export async function post(
  backEnd: BackEnd,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<Answer> {
  const answer = await send(backEnd, path, new URLSearchParams(form).toString()).catch((thrown: unknown) => {
    const message = `${backEnd.product} at ${addressOf(backEnd)} gives no answer: ${reasonOf(thrown)}.`;
    throw new HoldfastError('UNAVAILABLE', 'UNREACHABLE', message, {
      help: `Check that it runs, and its URL: HOLDFAST_${backEnd.product.toUpperCase()}_URL.`,
      cause: thrown,
    });
  });
  if (answer.status === 401 || answer.status === 403) {
    const message = `${backEnd.product} at ${addressOf(backEnd)} refuses these credentials (${answer.status}).`;
    throw new HoldfastError('PERMISSION_DENIED', 'DENIED', message, {
      help: `Set HOLDFAST_${backEnd.product.toUpperCase()}_HEADERS, such as authorization=Bearer%20….`,
    });
  }
  return answer;
}

/** Returns the message of a failed request. A host with several addresses fails with an error for each. */
function reasonOf(thrown: unknown): string {
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown;
  return messageOf(first).replace(/\.$/, '');
}

function send({ base, headers, ca }: BackEnd, path: string, form: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = base.protocol === 'https:' ? tlsRequest : plainRequest;
    const sent = request(
      new URL(path, base),
      {
        method: 'POST',
        agent: false,
        ...(ca !== undefined && { ca }),
        headers: {
          accept: 'application/json',
          ...headers,
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': Buffer.byteLength(form),
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on('data', (part: Buffer) => {
          bytes += part.length;
          if (bytes > answerBytes) sent.destroy(new Error('its answer has more than 8 MiB'));
          else parts.push(part);
        });
        response.once('error', reject);
        response.once('aborted', () => reject(new Error('its answer was cut')));
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') }),
        );
      },
    );
    const late = setTimeout(() => sent.destroy(new Error('none came within 10 s')), answerWithinMs);
    sent.once('close', () => clearTimeout(late));
    sent.once('error', reject);
    sent.end(form);
  });
}
