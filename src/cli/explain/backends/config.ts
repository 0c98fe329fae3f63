import { type BackendSettings, badSetting, type Environment, settingsOf } from '../../backends/settings.ts';

/** A store of traces or of log lines that `holdfast why` reads, as the environment names it. */
export interface BackendConfig extends BackendSettings {
  readonly kind: string;
}

/** The bounds of a request of `holdfast why`. */
export const requestBounds = { answerMs: 2_000, answerBytes: 4_194_304 } as const;

/** The stores of traces, the first of which is meant by an address without a kind. */
export const traceKinds = ['jaeger', 'tempo'] as const;
/** The stores of log lines, the first of which is meant by an address without a kind. */
export const logKinds = ['victorialogs', 'loki'] as const;

/**
 * Reads a back end from the environment: `<name>_URL` (`http://host:port`, or `kind+http://host:port`), `<name>_HEADERS`
 * and `<name>_CA`. Returns undefined if it is not configured.
 *
 * @throws HoldfastError BAD_CONFIGURATION, if a variable has another form. No header's value is in the message.
 */
export function backendOf(
  env: Environment,
  name: 'HOLDFAST_TRACES' | 'HOLDFAST_LOGS',
): BackendConfig | undefined {
  const text = env[`${name}_URL`];
  if (text === undefined || text === '') return undefined;
  const kinds: readonly string[] = name === 'HOLDFAST_TRACES' ? traceKinds : logKinds;
  const [kind = '', plain = text] = /^([a-z]+)\+(https?:.*)$/.exec(text)?.slice(1) ?? [kinds[0], text];
  const settings = kinds.includes(kind) ? settingsOf(env, name, plain) : undefined;
  if (settings !== undefined) return { kind, ...settings };
  const forms = kinds.map((one) => `${one}+http://host:port`).join(' or ');
  throw badSetting(`${name}_URL is no address of a back end.`, `Write it as ${forms}; https works too.`);
}
