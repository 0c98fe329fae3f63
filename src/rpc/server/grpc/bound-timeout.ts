import type { IncomingHttpHeaders } from 'node:http2';

const header = 'grpc-timeout';
const timeout = /^(\d{1,8})([HMSmun])$/;
const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000 };
const mostTimerMs = 2 ** 31 - 1;
/** The longest timeout in whole hours that a timer can have. */
const longest = '596H';
/** A value in which grpc-js finds no timeout. */
const unreadable = 'unreadable';

/**
 * Replaces a timeout among the headers of a call that grpc-js would misread: one of more than 24.8 days, which it takes
 * for a short one, and one that only contains a timeout, such as `1.5S`, which becomes a malformed one.
 */
export function boundTimeout(headers: IncomingHttpHeaders): void {
  const given = headers[header];
  if (given === undefined) return;
  const [, count, unit = ''] = timeout.exec(String(given)) ?? [];
  if (count === undefined) headers[header] = unreadable;
  else if (Number(count) * (unitMs[unit] ?? 0) > mostTimerMs) headers[header] = longest;
}
