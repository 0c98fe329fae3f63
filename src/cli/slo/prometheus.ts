import { HoldfastError } from '../../core/errors.ts';
import { addressOf, type BackEnd, post } from './back-end.ts';

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
export async function instantQuery(prometheus: BackEnd, promql: string): Promise<readonly Sample[]> {
  const { status, body } = await post(prometheus, 'api/v1/query', { query: promql });
  const answer = parsed(body);
  if (status === 200 && answer?.status === 'success' && Array.isArray(answer.data?.result)) {
    return answer.data.result.flatMap(sampleOf);
  }
  const where = `${prometheus.product} at ${addressOf(prometheus)}`;
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

interface ApiAnswer {
  readonly status?: unknown;
  readonly error?: unknown;
  readonly data?: { readonly result?: unknown };
}

function parsed(body: string): ApiAnswer | undefined {
  try {
    const value: unknown = JSON.parse(body);
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
