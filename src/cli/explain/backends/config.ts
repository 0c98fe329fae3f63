import { readFileSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { usage } from '../../exit-codes.ts';

/** A store of traces or of log lines that `holdfast why` reads, as the environment names it. */
export interface BackendConfig {
  readonly kind: string;
  /** The address without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The PEM text of the authorities that may have issued the back end's certificate; undefined: those that Node knows. */
  readonly ca: string | undefined;
}

/** The stores of traces, the first of which is meant by an address without a kind. */
export const traceKinds = ['jaeger', 'tempo'] as const;
/** The stores of log lines, the first of which is meant by an address without a kind. */
export const logKinds = ['victorialogs', 'loki'] as const;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads a back end from the environment: `<name>_URL` (`http://host:port`, or `kind+http://host:port`), `<name>_HEADERS`
 * (`key=value,key=value`, with escapes of URLs) and `<name>_CA` (a PEM file). Returns undefined if it is not configured.
 *
 * @throws HoldfastError INVALID_ARGUMENT, if a variable has another form. No header's value is in the message.
 */
export function backendOf(
  env: Environment,
  name: 'HOLDFAST_TRACES' | 'HOLDFAST_LOGS',
): BackendConfig | undefined {
  const text = env[`${name}_URL`];
  if (text === undefined || text === '') return undefined;
  const kinds: readonly string[] = name === 'HOLDFAST_TRACES' ? traceKinds : logKinds;
  const [kind = '', plain = text] = /^([a-z]+)\+(https?:.*)$/.exec(text)?.slice(1) ?? [kinds[0], text];
  const url = URL.canParse(plain) ? new URL(plain) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol) || !kinds.includes(kind)) {
    const forms = kinds.map((one) => `${one}+http://host:port`).join(' or ');
    throw usage(`${name}_URL is no address of a back end.`, `Write it as ${forms}; https works too.`);
  }
  url.hash = '';
  url.search = '';
  return {
    kind,
    url: url.href.replace(/\/+$/, ''),
    headers: headersOf(`${name}_HEADERS`, env[`${name}_HEADERS`]),
    ca: caOf(`${name}_CA`, env[`${name}_CA`]),
  };
}

function headersOf(name: string, text = ''): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const part of text.split(',').filter((one) => one.trim() !== '')) {
    try {
      const [key = '', ...values] = part.split('=');
      const value = decodeURIComponent(values.join('=').trim());
      validateHeaderName(key.trim());
      if (values.length === 0) throw new RangeError('no value');
      validateHeaderValue(key.trim(), value);
      headers[key.trim().toLowerCase()] = value;
    } catch {
      throw usage(
        `${name} is no list of headers.`,
        'Write it as key=value,key=value; escape a comma as %2C.',
      );
    }
  }
  return headers;
}

function caOf(name: string, path: string | undefined): string | undefined {
  if (path === undefined || path === '') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    throw usage(
      `${name} names a file that cannot be read: ${(thrown as Error).message}.`,
      'Name a PEM file.',
    );
  }
}

/** Returns the address of a back end for people, without a name and a password in it. */
export function shownUrl({ url }: Pick<BackendConfig, 'url'>): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href.replace(/\/$/, '');
}
