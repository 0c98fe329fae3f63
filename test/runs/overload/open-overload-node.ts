/** Opens a node on the shared table that reports its load to the parent process. */
import { aws } from '../../../src/engines/aws/index.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Log, LogFields } from '../../../src/ports/log.ts';
import type { BreakerState } from '../../../src/ports/overload.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { OverloadAddress, OverloadReport, Role } from './process-messages.ts';

const sampleMs = 20;
const reportMs = 250;
const worstFirst: readonly BreakerState[] = ['open', 'halfOpen', 'closed'];

export function addressFromArguments(): OverloadAddress {
  process.once('disconnect', () => process.exit(1));
  return JSON.parse(process.argv[2] ?? '{}') as OverloadAddress;
}

export function report(message: OverloadReport): void {
  process.send?.(message);
}

/** Returns a log that reports lines about load to the parent, and prints errors. It drops all other lines. */
function reportingLog(role: Role): Log {
  const reportLine = (fields: LogFields, message: string): void => {
    const { dependency, refused, why } = fields;
    if (dependency === undefined && refused === undefined && why === undefined) return;
    report({ kind: 'logged', role, message, fields });
  };
  const error = (fields: LogFields, message: string): void =>
    console.error(`${role}: ${message}: ${fields.err}`);
  return { debug() {}, info: reportLine, warn: reportLine, error };
}

export async function openNode(address: OverloadAddress, role: Role): Promise<HoldfastNode> {
  const clock = systemClock();
  const log = reportingLog(role);
  const engine = aws({
    table: address.table,
    clock,
    log,
    dynamodb: clientOf(address.dynamodb),
    sqs: { ...clientOf(address.sqs), useQueueUrlAsEndpoint: false },
  });
  const { overload, meters } = engine;
  const seen = new Set<BreakerState>();
  setInterval(() => {
    for (const { state } of Object.values(overload.view().dependencies)) seen.add(state);
  }, sampleMs);
  setInterval(() => {
    let writeUnits = 0;
    for (const one of Object.values(meters.table.read())) writeUnits += one.writeUnits - one.indexWriteUnits;
    const states = worstFirst.filter((state) => seen.has(state));
    seen.clear();
    report({ kind: 'load', role, view: overload.view(), states, writeUnits });
  }, reportMs);
  return startNode({ engine, clock, log, node: role });
}
