/** A process that plays scenarios, or recovers from one that another played; its parent may kill it anywhere. */

import type { FromChild, Now, ToChild } from './child-messages.ts';
import { recover } from './recover.ts';
import { scenarios } from './scenarios.ts';
import { Stage } from './stage.ts';

process.once('disconnect', () => process.exit(1));
const tell = (told: FromChild): void => void process.send?.(told);
let moved: ((movedMs: number) => void) | undefined;
let go: (() => void) | undefined;

function move(ms: number): Promise<void> {
  return new Promise((resolve) => {
    moved = () => resolve();
    tell({ kind: 'move', ms });
  });
}

function scenarioOf(name: string) {
  const found = scenarios.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no scenario '${name}'`);
  return found;
}

async function play(name: string, place: Now): Promise<void> {
  const scenario = scenarioOf(name);
  const stage = await Stage.open({ place, move, promise: (what) => tell({ kind: 'promised', what }) });
  let error: string | undefined;
  try {
    await stage.warmUp();
    const held = await scenario.scene(stage);
    await stage.running.settled();
    const told = new Promise<void>((resolve) => {
      go = resolve;
    });
    tell({ kind: 'armed' });
    await told;
    await scenario.play(stage, held as NonNullable<typeof held>);
    await stage.running.settled();
  } catch (thrown) {
    error = String(thrown);
  }
  tell({ kind: 'played', error });
  await stage.close();
}

async function bringToAnEnd(name: string, place: Now, promised: readonly string[]): Promise<void> {
  const told = [...promised];
  const stage = await Stage.open({ place, move, promise: (what) => told.push(what) });
  const found = await recover(stage, scenarioOf(name), told).catch((thrown: unknown) => ({
    problems: [`recovering failed: ${String(thrown)}`],
    rounds: 0,
  }));
  await stage.close();
  tell({ kind: 'recovered', ...found });
}

process.on('message', (told: ToChild) => {
  if (told.kind === 'go') go?.();
  else if (told.kind === 'moved') moved?.(told.movedMs);
  else if (told.kind === 'play') void play(told.scenario, told.place);
  else void bringToAnEnd(told.scenario, told.place, told.promised);
});
tell({ kind: 'ready' });
