import { pino } from 'pino';
import type { Log } from '../ports/log.ts';

/** One JSON line an entry on stderr; `HOLDFAST_LOG` sets the level (default info). Payloads are never logged. */
export function processLog(): Log {
  return pino(
    { level: process.env.HOLDFAST_LOG ?? 'info', base: { pid: process.pid } },
    pino.destination({ fd: 2, sync: true }),
  );
}
