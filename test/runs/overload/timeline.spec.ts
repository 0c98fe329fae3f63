import { expect, test } from 'vitest';
import { recoveredInS, type Second } from './timeline.ts';

const cut = { fromS: 10, untilS: 20 };
const perS = 100;

const calm: Omit<Second, 'atS'> = {
  offered: perS,
  admitted: perS,
  refused: 0,
  done: perS,
  api: ['closed'],
  worker: ['closed'],
  throttles: 0,
  backlog: 50,
};

/** Returns a timeline of forty seconds. `change` alters the seconds during and after the capacity cut. */
function timeline(change: (atS: number) => Partial<Second>): Second[] {
  return Array.from({ length: 40 }, (_, i) => ({
    ...calm,
    atS: i + 1,
    ...(i + 1 > 10 ? change(i + 1) : {}),
  }));
}

test('the recovery is the first second after the capacity cut from which on the run is as it was before the cut', () => {
  const recovered = (change: (atS: number) => Partial<Second>): number | undefined =>
    recoveredInS(timeline(change), cut, perS);
  expect(recovered(() => ({}))).toBe(1);
  expect(recovered((atS) => ({ refused: atS < 25 ? 1 : 0 }))).toBe(5);
  expect(recovered((atS) => ({ api: atS < 26 ? ['halfOpen', 'closed'] : ['closed'] }))).toBe(6);
  expect(recovered((atS) => ({ worker: atS < 27 ? ['open'] : ['closed'] }))).toBe(7);
  expect(recovered((atS) => ({ backlog: atS < 28 ? 151 : 150 }))).toBe(8);
});

test('two calm seconds between refusals are no recovery', () => {
  const refused = (atS: number): number => (atS < 22 || atS === 24 || atS === 27 ? 1 : 0);
  expect(
    recoveredInS(
      timeline((atS) => ({ refused: refused(atS) })),
      cut,
      perS,
    ),
  ).toBe(8);
});

test('a run with refusals or a backlog until its end counts as not recovered', () => {
  expect(
    recoveredInS(
      timeline(() => ({ backlog: 500 })),
      cut,
      perS,
    ),
  ).toBeUndefined();
  expect(
    recoveredInS(
      timeline((atS) => ({ refused: atS < 39 ? 1 : 0 })),
      cut,
      perS,
    ),
  ).toBeUndefined();
});
