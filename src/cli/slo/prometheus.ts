import { HoldfastError } from '../../core/errors.ts';
import { messageOf } from '../../core/untrusted.ts';
import { systemClock } from '../../platform/clock.ts';
import { type BackendAnswer, send } from '../backends/request.ts';
import {
  type BackendSettings,
  badSetting,
  type Environment,
  settingsOf,
  shownUrl,
} from '../backends/settings.ts';
import { parseShallow } from '../backends/shallow-json.ts';

const requestBounds = { answerMs: 10_000, answerBytes: 8 * 1_048_576 } as const;
const variable = 'HOLDFAST_PROMETHEUS';

/**
 * Returns the Prometheus that a flag or HOLDFAST_PROMETHEUS_URL names, with HOLDFAST_PROMETHEUS_HEADERS and
 * HOLDFAST_PROMETHEUS_CA. Returns undefined if none is named.
 *
 * @throws HoldfastError BAD_CONFIGURATION if the URL, the headers or the file cannot be used. No error contains a
 * header's value or a password of the URL.
 */
export function prometheusOf(env: Environment, flag: string | undefined): BackendSettings | undefined {
  const text = flag ?? env[`${variable}_URL`];
  if (text === undefined || text === '') return undefined;
  const settings = settingsOf(env, variable, text);
  if (settings !== undefined) return settings;
  const where = flag === undefined ? `${variable}_URL` : 'The URL of Prometheus';
  throw badSetting(`${where} is no http or https URL.`, 'Write http://host:port or https://host:port.');
}

/** One series of an instant query, with its value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/**
 * Evaluates a PromQL text now.
 *
 * @throws HoldfastError UNAVAILABLE, reason UNREACHABLE, if Prometheus cannot be reached or is not ready.
 * @throws HoldfastError INVALID_ARGUMENT, reason BAD_CONFIGURATION, if the URL is none of Prometheus's API.
 */
export async function instantQuery(prometheus: BackendSettings, promql: string): Promise<readonly Sample[]> {
  const { status, text } = await post(prometheus, '/api/v1/query', { query: promql });
  const answer = parsed(text);
  if (status === 200 && answer?.status === 'success' && Array.isArray(answer.data?.result)) {
    return answer.data.result.flatMap(sampleOf);
  }
  const where = nameOf(prometheus);
  if (status >= 500) {
    throw new HoldfastError('UNAVAILABLE', 'UNREACHABLE', `${where} is not ready: it answered ${status}.`, {
      help: 'Try again when it is ready.',
    });
  }
  const reason = typeof answer?.error === 'string' ? `: ${answer.error.slice(0, 200)}` : '';
  throw new HoldfastError(
    'INVALID_ARGUMENT',
    'BAD_CONFIGURATION',
    `${where} gave no answer of Prometheus's API (${status})${reason}.`,
    { help: 'Check HOLDFAST_PROMETHEUS_URL or --prometheus: the URL without /api/v1.' },
  );
}

function nameOf(prometheus: BackendSettings): string {
  return `Prometheus at ${shownUrl(prometheus)}`;
}

/**
 * Posts a form and returns the answer, of whatever status.
 *
 * @throws HoldfastError UNAVAILABLE, reason UNREACHABLE, if there is no whole answer within 10 s.
 * @throws HoldfastError PERMISSION_DENIED if Prometheus refuses the credentials.
 */
async function post(
  prometheus: BackendSettings,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<BackendAnswer> {
  const bounds = { clock: systemClock(), ...requestBounds };
  const answer = await send(prometheus, { path, form }, bounds).catch((cause: unknown) => {
    const message = `${nameOf(prometheus)} ${messageOf(cause)}.`;
    const help = `Check that it runs, and its URL: ${variable}_URL.`;
    throw new HoldfastError('UNAVAILABLE', 'UNREACHABLE', message, { help, cause });
  });
  if (answer.status !== 401 && answer.status !== 403) return answer;
  const message = `${nameOf(prometheus)} refuses these credentials (${answer.status}).`;
  const help = `Set ${variable}_HEADERS, such as authorization=Bearer%20….`;
  throw new HoldfastError('PERMISSION_DENIED', 'DENIED', message, { help });
}

interface ApiAnswer {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly data?: { readonly result?: unknown };
}

function parsed(body: string): ApiAnswer | undefined {
  try {
    const value = parseShallow(body);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function sampleOf(series: unknown): Sample[] {
  if (typeof series !== 'object' || series === null) return [];
  const { metric, value } = series as { metric?: Record<string, string>; value?: [number, string] };
  const number = Number(value?.[1]);
  if (metric === undefined || value === undefined || Number.isNaN(number)) return [];
  return [{ labels: metric, value: number }];
}
