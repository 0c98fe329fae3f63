/** The cases of a rollback. `npm test` runs them on the double alone, `npm run rollback` on ministack too. */
import type { NamedRun } from './cases/case.ts';
import { onAnything } from './cases/on-anything.ts';
import { onDouble } from './cases/on-double.ts';
import { onPlay } from './cases/on-play.ts';
import type { World } from './world.ts';

export interface Case {
  readonly name: string;
  /** True if it needs rollouts that take a while or fail, which ministack alone does not have. */
  readonly needsPlay: boolean;
  run(world: World): Promise<void>;
}

const named = (list: readonly NamedRun[], needsPlay: boolean): Case[] =>
  list.map(([name, run]) => ({ name, needsPlay, run }));

/** The cases for ministack with the double before it; ministack alone runs those that need no play. */
export const cases: readonly Case[] = [...named(onAnything, false), ...named(onPlay, true)];
/** The cases for the double alone. */
export const doubleCases: readonly Case[] = [...cases, ...named(onDouble, true)];
