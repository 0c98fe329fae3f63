import { readFileSync } from 'node:fs';
import { validateHeaderName, validateHeaderValue } from 'node:http';
import { HoldfastError } from '../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** How the command reaches a back end of telemetry over HTTP. */
export interface BackendSettings {
  /** The address without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The PEM text of the authorities that may have issued the back end's certificate; undefined: those that Node knows. */
  readonly ca: string | undefined;
}

/**
 * Returns the settings of a back end with this address. The variables `<name>_HEADERS` (`key=value,key=value`, with escapes
 * of URLs) and `<name>_CA` (a PEM file) have the rest. Returns undefined if the address is no http or https URL.
 *
 * @throws HoldfastError BAD_CONFIGURATION, if a variable has another form. No header's value is in the message.
 */
export function settingsOf(env: Environment, name: string, address: string): BackendSettings | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return undefined;
  url.hash = '';
  url.search = '';
  return {
    url: url.href.replace(/\/+$/, ''),
    headers: headersOf(`${name}_HEADERS`, env[`${name}_HEADERS`]),
    ca: caOf(`${name}_CA`, env[`${name}_CA`]),
  };
}

/** Returns the error for a setting that means nothing. */
export function badSetting(message: string, help: string): HoldfastError {
  return new HoldfastError('INVALID_ARGUMENT', 'BAD_CONFIGURATION', message, { help });
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
      throw badSetting(
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
    const message = `${name} names a file that cannot be read: ${(thrown as Error).message}.`;
    throw badSetting(message, 'Name a PEM file, or unset the variable.');
  }
}

/** Returns the address of a back end for people, without a name and a password in it. */
export function shownUrl({ url }: Pick<BackendSettings, 'url'>): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href.replace(/\/$/, '');
}
