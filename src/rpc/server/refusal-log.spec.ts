import { expect, it } from 'vitest';
import { recordingLog } from '../../../test/fixtures/listening-node.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import { refusalLog } from './refusal-log.ts';

it('a flood of refusals is ten lines a second, and the next line counts those without one', async () => {
  const clock = virtualClock();
  const log = recordingLog();
  const refusals = refusalLog(log, clock);
  const flood = () => {
    for (let i = 0; i < 500; i++) refusals.warn({ peer: `127.0.0.1:${i}` }, 'a request was refused');
  };
  flood();
  expect(log.lines).toHaveLength(10);
  expect(log.lines.every(({ unlogged }) => unlogged === undefined)).toBe(true);
  await clock.advance(1_000);
  flood();
  expect(log.lines).toHaveLength(20);
  expect(log.lines[10]).toMatchObject({ level: 'warn', peer: '127.0.0.1:0', unlogged: 490 });
  expect(log.lines[11]).not.toHaveProperty('unlogged');
});

it('a line that is no refusal is written in a flood too', () => {
  const log = recordingLog();
  const refusals = refusalLog(log, virtualClock());
  for (let i = 0; i < 20; i++) refusals.warn({}, 'a request was refused');
  refusals.error({}, 'the listener failed');
  expect(log.lines.at(-1)).toMatchObject({ level: 'error', message: 'the listener failed' });
});
