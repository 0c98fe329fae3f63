import { expect, it } from 'vitest';
import { attackPairs, chosenPairs } from './attacks.ts';

it('each attack must reach something in each role that it is tried in', () => {
  expect(attackPairs.filter(({ success }) => !(success.atLeast > 0))).toEqual([]);
});

it('a run is refused if the name of an attack is unknown, also beside right ones, or if the role is', () => {
  expect(chosenPairs({ attack: 'streams,no-such', as: '' })).toContain("'no-such'");
  expect(chosenPairs({ attack: 'streams,', as: '' })).toContain("''");
  expect(chosenPairs({ attack: '', as: 'nobody' })).toContain("'nobody'");
  expect(chosenPairs({ attack: 'lists', as: 'stranger' })).toBe("'lists' is not tried as stranger");
});

it('a run without options tries each pair of attack and role, and one with options those that it names', () => {
  expect(chosenPairs({ attack: '', as: '' })).toEqual(attackPairs);
  const chosen = chosenPairs({ attack: 'streams,lists', as: 'identity' });
  expect(chosen).toMatchObject([{ attack: { name: 'streams' } }, { attack: { name: 'lists' } }]);
});
