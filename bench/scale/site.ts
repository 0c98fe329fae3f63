import type { Transport } from '../../src/client/transport.ts';
import type { ServerProcess } from '../../test/fixtures/server-process.ts';
import { median } from '../report.ts';
import type { ScaleReport } from './report.ts';

/** A server on a new file, with a connection to it. */
export interface ScaleSite {
  readonly server: ServerProcess;
  readonly transport: Transport;
  readonly report: ScaleReport;
}

const rounds = 3;

/** Returns the median of three rounds of a rate. A round before them warms up. */
export async function medianRate(measure: (round: number) => Promise<number>): Promise<number> {
  const rates: number[] = [];
  for (let round = 0; round <= rounds; round++) rates.push(await measure(round));
  return median(rates.slice(1));
}
