import { describe, expect, it } from 'vitest';
import { parseLedger } from './ledger.ts';

describe('the ledger of npm run chaos', () => {
  it('is read without its last line if the end of the process has cut that', () => {
    const text = 'began 10.5 a 7 1 key-a in\nended 11 a 7 well out\nbegan 12 b 8 2 key-b in\nended 13 b';
    const call = { attempt: 1, inputHash: 'in', process: 'w:1' };
    expect(parseLedger(text, 'w:1').calls).toEqual([
      {
        ...call,
        ...{ id: 'a', fencingToken: 7, key: 'key-a', beganAtMs: 10.5 },
        end: { atMs: 11, how: 'well', resultHash: 'out' },
      },
      { ...call, id: 'b', fencingToken: 8, key: 'key-b', attempt: 2, beganAtMs: 12, end: undefined },
    ]);
  });

  it('keeps both calls of one claim, so that the judge finds them', () => {
    const line = 'began 10 a 7 1 key-a in\n';
    expect(parseLedger(line + line, 'w:1').calls).toHaveLength(2);
  });

  it('has acknowledgements in and without a lane', () => {
    const text = 'acknowledged 10 key-a a in - 0\nacknowledged 11 key-b b in lane-1 4\n';
    expect(parseLedger(text, 's:1').acknowledged).toEqual([
      { atMs: 10, key: 'key-a', id: 'a', inputHash: 'in', lane: '', seq: 0 },
      { atMs: 11, key: 'key-b', id: 'b', inputHash: 'in', lane: 'lane-1', seq: 4 },
    ]);
  });

  it('is refused if it has a line that no process writes', () => {
    expect(() => parseLedger('begun 10 a 7 1 key-a in\n', 'w:1')).toThrow('unknown kind');
  });
});
