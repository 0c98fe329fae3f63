/**
 * Main program of a child process: runs scenarios, or recovers a scenario that another child ran. Its parent may kill
 * it at any request.
 */

import type { ScenarioCommand, ScenarioReport, StoreAtTime } from './child-messages.ts';
import { recover } from './recover.ts';
import { ScenarioDriver } from './scenario-driver.ts';
import { scenarios } from './scenarios.ts';

process.once('disconnect', () => process.exit(1));
const report = (message: ScenarioReport): void => void process.send?.(message);
let onClockMoved: ((movedMs: number) => void) | undefined;
let onStart: (() => void) | undefined;

function move(ms: number): Promise<void> {
  return new Promise((resolve) => {
    onClockMoved = () => resolve();
    report({ kind: 'moveClock', ms });
  });
}

function scenarioOf(name: string) {
  const found = scenarios.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no scenario '${name}'`);
  return found;
}

async function runScenario(name: string, store: StoreAtTime): Promise<void> {
  const scenario = scenarioOf(name);
  const driver = await ScenarioDriver.open({
    store,
    move,
    onAcknowledged: (event) => report({ kind: 'acknowledged', event }),
  });
  let error: string | undefined;
  try {
    await driver.warmUp();
    const held = await scenario.setUp(driver);
    await driver.running.settled();
    const started = new Promise<void>((resolve) => {
      onStart = resolve;
    });
    report({ kind: 'isSetUp' });
    await started;
    await scenario.run(driver, held as NonNullable<typeof held>);
    await driver.running.settled();
  } catch (thrown) {
    error = String(thrown);
  }
  report({ kind: 'ran', error });
  await driver.close();
}

async function recoverScenario(
  name: string,
  store: StoreAtTime,
  acknowledgedBefore: readonly string[],
): Promise<void> {
  const acknowledged = [...acknowledgedBefore];
  const driver = await ScenarioDriver.open({
    store,
    move,
    onAcknowledged: (event) => acknowledged.push(event),
  });
  const result = await recover(driver, scenarioOf(name), acknowledged).catch((thrown: unknown) => ({
    problems: [`the recovery failed: ${String(thrown)}`],
    rounds: 0,
  }));
  await driver.close();
  report({ kind: 'recovered', ...result });
}

process.on('message', (command: ScenarioCommand) => {
  if (command.kind === 'start') onStart?.();
  else if (command.kind === 'clockMoved') onClockMoved?.(command.movedMs);
  else if (command.kind === 'run') void runScenario(command.scenario, command.store);
  else void recoverScenario(command.scenario, command.store, command.acknowledged);
});
report({ kind: 'ready' });
