import { expect, it } from 'vitest';
import type { LoggedCall } from '../../../stand-ins/proxy/call.ts';
import { claimPair } from './claim-race.ts';

const call = (n: number, key: string, status: number, condition = 'rv = :rv'): LoggedCall => ({
  ...{ n, status, operation: 'UpdateItem', resources: [], keys: [key], atMs: n, body: {} },
  expressions: [condition, 'SET rv = :next'],
});

it('the pair of claims is a refused update and an accepted one of the same item with the same condition', () => {
  const settled = call(1, 'b', 200, 'tk = :tk');
  const [won, lost] = [call(2, 'a', 200), call(3, 'a', 400)];
  expect(claimPair([settled, won, lost])).toEqual({ accepted: won, refused: lost });
  expect(claimPair([settled, won, call(3, 'b', 400)])).toBeUndefined();
  expect(claimPair([])).toBeUndefined();
});
