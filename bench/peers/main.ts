/**
 * `npm run bench:peers` measures Holdfast beside other task queues, each with the settings that its own documentation recommends
 * (`systems/`). Their servers run on loopback, with folders of their own, and end with this process. The peers take turns: one
 * discarded round, then `--rounds N`. `--peers A,B` and `--only TEXT` (a part of the names of rows) make a shorter run, `--tasks N`
 * and `--idle N` smaller rounds. It prints medians, ratios and the share of a roofline; nothing fails by a speed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programOptions } from '../../test/fixtures/program-options.ts';
import { median } from '../report.ts';
import { installPackages } from './packages.ts';
import type { Peer } from './peer.ts';
import { freePort } from './programs.ts';
import { compareRows, type Measured, medianOf, mediansText, ratiosText, rowNames } from './results.ts';
import { openRoofline } from './roofline.ts';
import { measureRound, type RoundOptions, type RowName, type Running, type Values } from './rounds.ts';
import { startSubmitter } from './side-process.ts';
import { peers } from './systems/all.ts';

const options = programOptions('bench:peers', {
  ...{ json: false, peers: '', only: '', rounds: 3, tasks: 20_000, idle: 200 },
});
/** No further round begins after this time, so that the run ends within 40 minutes, installing included. */
const lastRoundMs = 33 * 60_000;
const discardedRounds = 1;

const print = (line: string): void => {
  if (!options.json) console.log(line);
};
const folders: string[] = [];
process.once('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const names = options.peers === '' ? peers.map(({ name }) => name) : options.peers.split(',');
const unknown = names.find((name) => !peers.some((peer) => peer.name === name));
if (unknown !== undefined) {
  console.error(`'${unknown}' is none of ${peers.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const missing: string[] = [];
const errorText = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

async function start(peer: Peer): Promise<Running | undefined> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-peer-${peer.name}-`));
  folders.push(folder);
  try {
    const server = await peer.start({ folder, freePort });
    return { peer, server, submitter: await startSubmitter(peer.name, server.address) };
  } catch (thrown) {
    missing.push(`${peer.name} is missing: ${errorText(thrown)}`);
    return undefined;
  }
}

const failedInstall = installPackages();
if (failedInstall !== undefined) console.error(`bench:peers: ${failedInstall}`);

const running: Running[] = [];
for (const peer of peers.filter(({ name }) => names.includes(name))) {
  const started = await start(peer);
  if (started !== undefined) running.push(started);
}
for (const line of missing) console.error(`bench:peers: ${line}`);

const isWanted = (row: RowName): boolean => options.only === '' || row.includes(options.only);
const roundOptions: RoundOptions = { tasks: options.tasks, idleSamples: options.idle, isWanted };
const rounds = new Map<Running, Values[]>(running.map((one) => [one, []]));
for (let round = 0; round < discardedRounds + options.rounds; round++) {
  if (performance.now() > lastRoundMs) {
    console.error(
      `bench:peers: only ${round - discardedRounds} of ${options.rounds} rounds fit into the time`,
    );
    break;
  }
  for (const one of [...rounds.keys()]) {
    try {
      const values = await measureRound(one, roundOptions);
      if (round >= discardedRounds) rounds.get(one)?.push(values);
    } catch (thrown) {
      console.error(`bench:peers: ${one.peer.name} failed in round ${round}: ${errorText(thrown)}`);
      if (round < discardedRounds) rounds.delete(one);
    }
  }
  print(
    `round ${round}${round < discardedRounds ? ' (discarded)' : ''} after ${(performance.now() / 1_000).toFixed(0)} s`,
  );
}

const measured: Measured[] = [...rounds].map(([{ peer }, values]) => ({ peer, rounds: values }));

/** Prints the share of the bare group commits of the same size that Holdfast reaches. */
function roofline(): void {
  const ours = measured.find(({ peer }) => peer.name === 'holdfast');
  if (ours === undefined) return;
  const floor = openRoofline(options.tasks);
  const medianRate = (rate: () => number): number => median([rate(), rate(), rate(), rate()].slice(1));
  const rates: readonly (readonly [RowName, number])[] = [
    ['submit singly, 64 in flight', medianRate(() => floor.insertsPerSecond(64))],
    ['submit in bulk, 4 callers', medianRate(() => floor.insertsPerSecond(400))],
    ['process, best prefetch', medianRate(() => floor.processedPerSecond(128))],
  ];
  floor.close();
  print('\nbare group commits of node:sqlite, and the share that Holdfast reaches');
  for (const [row, rate] of rates) {
    const value = medianOf(ours, row);
    if (value !== undefined)
      print(`  ${row.padEnd(32)} ${Math.round(rate)}/s, ${((value / rate) * 100).toFixed(0)} %`);
  }
}

if (options.json) console.log(JSON.stringify({ rows: compareRows(measured) }));
else {
  print(`\n${mediansText(measured)}\n\nabove 1 Holdfast is better\n${ratiosText(measured)}`);
  print('\nbeside the best synced task queue');
  for (const { row, unit, holdfast, bestSyncedPeer, peer, ratio } of compareRows(measured)) {
    print(`  ${row.padEnd(32)} ${holdfast} ${unit}, ${peer} ${bestSyncedPeer} ${unit}: ratio ${ratio}`);
  }
  roofline();
  print('\nsettings');
  for (const { peer } of measured)
    for (const { setting, source } of peer.settings) print(`  ${peer.name}: ${setting} (${source})`);
}
for (const { submitter, server } of running) {
  await submitter.stop();
  await server.stop();
}
console.error(
  `bench:peers: peers=${measured.length} missing=${missing.length} rows=${rowNames.filter(isWanted).length}`,
);
process.exit(0);
