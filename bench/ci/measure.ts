/** Drives the scenarios and counts their work, each on a store of its own. */
import { allocatedBytes } from './allocated-bytes.ts';
import { MessageCounters } from './message-counters.ts';
import type { Scenario } from './scenarios.ts';
import { type EngineName, type Site, startSite, storeFolder } from './site.ts';
import { StoreCounters } from './store-counters.ts';

/** The counts of one scenario, for each of its tasks. */
export type Counts = Readonly<Record<string, number>>;

/** The first tasks fill caches, so that their allocations are not counted. */
const warmTasks = 400;
const partTasks = 300;
const parts = 3;
/** So few that no checkpoint restarts the log of the store. */
const countedRounds = 20;

interface Run {
  readonly engine: EngineName;
  readonly scenario: Scenario;
  readonly rounds: number;
}

/** Prepares a scenario on a new store and calls `drive` with the store's path, the site, and the function of a round. */
async function onNewSite<T>(
  { engine, scenario, rounds }: Run,
  path: string,
  drive: (round: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const site: Site = await startSite(engine, path);
  const { round, end } = await scenario.prepare(site, rounds + 1);
  // The first round creates the queue and names, which no later one does.
  await round();
  const result = await drive(round);
  await end?.();
  await site.clock.settle();
  await site.close();
  return result;
}

const perTask = (count: number, tasks: number): number => Number((count / tasks).toPrecision(4));

/** Returns the bytes that V8 allocates for a task: the least of several parts, since V8's own work only adds to them. */
async function allocations(engine: EngineName, scenario: Scenario): Promise<number> {
  const folder = storeFolder();
  const roundsOf = (tasks: number): number => Math.ceil(tasks / scenario.tasks);
  const [warmRounds, partRounds] = [roundsOf(warmTasks), roundsOf(partTasks)];
  const run: Run = { engine, scenario, rounds: warmRounds + parts * partRounds };
  const bytes = await onNewSite(run, folder.path, async (round) => {
    for (let i = 0; i < warmRounds; i++) await round();
    let least = Number.POSITIVE_INFINITY;
    for (let part = 0; part < parts; part++) {
      const before = allocatedBytes();
      for (let i = 0; i < partRounds; i++) await round();
      least = Math.min(least, allocatedBytes() - before);
    }
    return least;
  });
  folder.remove();
  return Number((bytes / (partRounds * scenario.tasks)).toPrecision(3));
}

async function storeCounts(scenario: Scenario): Promise<Counts> {
  const folder = storeFolder();
  const counters = new StoreCounters(folder.path);
  const run: Run = { engine: 'sqlite', scenario, rounds: countedRounds };
  const [before, after] = await onNewSite(run, folder.path, async (round) => {
    const first = counters.read();
    for (let i = 0; i < countedRounds; i++) await round();
    return [first, counters.read()] as const;
  });
  counters.stop();
  folder.remove();
  const of = (name: keyof typeof before): number =>
    perTask(after[name] - before[name], countedRounds * scenario.tasks);
  return {
    syncs: of('syncs'),
    statements: of('statements'),
    rowsWritten: of('rows'),
    logBytes: of('logBytes'),
    databaseBytes: of('databaseBytes'),
  };
}

async function messageCounts(scenario: Scenario): Promise<Counts> {
  const counters = new MessageCounters();
  const run: Run = { engine: 'memory', scenario, rounds: countedRounds };
  const [before, after] = await onNewSite(run, '', async (round) => {
    const first = counters.read();
    for (let i = 0; i < countedRounds; i++) await round();
    return [first, counters.read()] as const;
  });
  counters.stop();
  const of = (name: keyof typeof before): number =>
    perTask(after[name] - before[name], countedRounds * scenario.tasks);
  return {
    messagesSent: of('messagesSent'),
    messagesReceived: of('messagesReceived'),
    messageBytes: of('messageBytes'),
  };
}

/** Counts a scenario at the service, on the SQLite engine. */
export async function countService(scenario: Scenario): Promise<Counts> {
  return {
    ...(await storeCounts(scenario)),
    allocatedBytes: await allocations('sqlite', scenario),
  };
}

/** Counts a scenario of the SDK and a server over gRPC. The allocations are those of both together. */
export async function countSdk(scenario: Scenario): Promise<Counts> {
  return { ...(await messageCounts(scenario)), allocatedBytes: await allocations('memory', scenario) };
}
