import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/listening-node.ts';
import { movingClock } from '../../../test/fixtures/moving-clock.ts';
import type { GaugeSource } from '../../ports/metrics.ts';
import { openStore } from '../open/store.ts';
import { certificateExpiry, storeSources } from './sources.ts';

const dayMs = 86_400_000;

/** Reads a source, and returns each value by its name and its labels. */
async function valuesOf({ read }: GaugeSource): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  await read({
    set: (name, labels, value) => {
      values[[name, ...Object.values(labels)].join(' ')] = value;
    },
  });
  return values;
}

it('the gauge of a certificate falls below 0 when it has expired, and follows a file that was replaced', async () => {
  const authority = await TestAuthority.make();
  onTestFinished(() => authority.remove());
  const clock = movingClock();
  const files = await authority.issue('s', 'server', { days: 1 });
  const source = certificateExpiry('server', files, clock);
  const daysLeft = async () => ((await valuesOf(source))['holdfast.certificate.expiry server'] ?? 0) / 86_400;
  expect(await daysLeft()).toBeCloseTo(1, 1);
  clock.move(2 * dayMs);
  expect(await daysLeft()).toBeCloseTo(-1, 1);
  await authority.issue('s', 'server', { days: 30 });
  expect(await daysLeft()).toBeCloseTo(28, 1);
  expect((await valuesOf(source))['holdfast.certificate.expiry authority']).toBeGreaterThan(30 * 86_400);
});

it('the gauges of a store in a file are the sizes of the file and of its log, and a store in memory has none', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sizes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const clock = movingClock();
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const opened = await openStore(`file:${join(folder, 'q.db')}`, { clock, log });
  const [source] = storeSources(opened);
  if (source === undefined) expect.fail('a store in a file has a size');
  expect(await valuesOf(source)).toEqual({
    'holdfast.store.size': expect.any(Number),
    'holdfast.store.wal.size': expect.any(Number),
  });
  expect((await valuesOf(source))['holdfast.store.size']).toBeGreaterThan(4_095);
  await opened.engine.close();
  const inMemory = await openStore('memory:', { clock, log });
  expect(storeSources(inMemory)).toEqual([]);
  await inMemory.engine.close();
});
