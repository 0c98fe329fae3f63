/** What a process of a run opens: a node over the shared table, which tells its parent how it goes. */
import { aws } from '../../../src/engines/aws/index.ts';
import { type HoldfastNode, startNode } from '../../../src/node/node.ts';
import { systemClock } from '../../../src/platform/clock.ts';
import type { Log, LogFields } from '../../../src/ports/log.ts';
import type { BreakerState } from '../../../src/ports/overload.ts';
import { clientOf } from '../../stand-ins/dynoxide.ts';
import type { FromChild, Place, Role } from './process-messages.ts';

const lookMs = 20;
const tellMs = 250;
const byWeight: readonly BreakerState[] = ['open', 'halfOpen', 'closed'];

export function given(): Place {
  process.once('disconnect', () => process.exit(1));
  return JSON.parse(process.argv[2] ?? '{}') as Place;
}

export function tell(message: FromChild): void {
  process.send?.(message);
}

/** What concerns load is told; the rest of the log only where something failed. */
function toldLog(role: Role): Log {
  const say = (fields: LogFields, message: string): void => {
    const { dependency, refused, why } = fields;
    if (dependency === undefined && refused === undefined && why === undefined) return;
    tell({ kind: 'said', role, message, fields });
  };
  const error = (fields: LogFields, message: string): void =>
    console.error(`${role}: ${message}: ${fields.err}`);
  return { debug() {}, info: say, warn: say, error };
}

export async function openNode(place: Place, role: Role): Promise<HoldfastNode> {
  const clock = systemClock();
  const log = toldLog(role);
  const engine = aws({
    table: place.table,
    clock,
    log,
    dynamodb: clientOf(place.dynamodb),
    sqs: { ...clientOf(place.sqs), useQueueUrlAsEndpoint: false },
  });
  const { overload, meters } = engine;
  const seen = new Set<BreakerState>();
  setInterval(() => {
    for (const { state } of Object.values(overload.view().dependencies)) seen.add(state);
  }, lookMs);
  setInterval(() => {
    let writeUnits = 0;
    for (const one of Object.values(meters.table.read())) writeUnits += one.writeUnits - one.indexWriteUnits;
    const states = byWeight.filter((state) => seen.has(state));
    seen.clear();
    tell({ kind: 'load', role, view: overload.view(), states, writeUnits });
  }, tellMs);
  return startNode({ engine, clock, log, node: role });
}
