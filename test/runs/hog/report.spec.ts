import { expect, it } from 'vitest';
import type { ProbeReport } from './process-messages.ts';
import { type AttackResult, isGood, lastLineOf, lineOf } from './report.ts';

const probe = (ms: number, refusal?: string): ProbeReport => ({ kind: 'probe', name: 'submit', ms, refusal });
const result = (probes: readonly ProbeReport[], more: Partial<AttackResult> = {}): AttackResult => ({
  name: 'streams',
  role: 'identity',
  counts: 'streams',
  measure: 'held',
  reached: 1_024,
  atLeast: 500,
  peakMb: 150.4,
  descriptors: 40,
  probes,
  hasServerEnded: false,
  ...more,
});

it('a run in which every probe was answered in time, on little memory, is good', () => {
  const results = [result([probe(3), probe(1_999)]), result([probe(7)], { peakMb: 600 })];
  expect(isGood(results)).toBe(true);
  expect(lastLineOf(results)).toBe('hog: attacks=2 peakMb=600 slowestProbeMs=1999 starved=0');
});

it('an attack starves others if a probe was refused, came too late or was not made, or if the server ended', () => {
  const starving: readonly AttackResult[] = [
    result([probe(3), probe(5, 'TOO_MANY_CALLS')]),
    result([probe(2_001)]),
    result([]),
    result([probe(3)], { hasServerEnded: true }),
  ];
  for (const one of starving) {
    expect(isGood([one])).toBe(false);
    expect(lineOf(one)).toContain('yes: ');
  }
  expect(lastLineOf([result([probe(3)]), ...starving])).toContain('attacks=5 ');
  expect(lastLineOf([result([probe(3)]), ...starving])).toMatch(/ starved=4$/);
});

it('a run with no attack, and one whose server needed more than 600 MB, is not good', () => {
  expect(isGood([])).toBe(false);
  expect(isGood([result([probe(3)], { peakMb: 600.1 })])).toBe(false);
});

it('an attack that reached less than it must is not good, although nobody was starved', () => {
  const nothing = result([probe(3)], { reached: 0 });
  expect(isGood([nothing])).toBe(false);
  expect(isGood([result([probe(3)]), result([probe(3)], { reached: 499 })])).toBe(false);
  expect(isGood([result([probe(3)], { reached: 500 })])).toBe(true);
  expect(lineOf(nothing)).toContain('0 streams held');
  expect(lineOf(nothing)).toMatch(/ {2}no; too little: at least 500$/);
  expect(lineOf(result([probe(3)]))).toMatch(/ {2}no$/);
});
