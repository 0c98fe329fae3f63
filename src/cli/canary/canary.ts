import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { timing } from '../../core/limits.ts';
import { canaryQueue, slotMs as objectiveSlotMs } from '../../core/objectives/objectives.ts';
import { serverTarget } from '../connection/connect.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Globals } from '../globals.ts';
import { emfOption, metricsHostOption, metricsPortOption, metricsText } from '../metrics-options.ts';
import { endWithin, untilStopped } from '../stop.ts';
import { parseDuration } from '../text/durations.ts';
import { wholeNumber } from '../text/numbers.ts';

const mostSlots = 10_000;
const slotLimits = { leastMs: 100, mostMs: 60_000 } as const;

function parseSlot(text: string): number {
  const ms = parseDuration(text);
  if (ms >= slotLimits.leastMs && ms <= slotLimits.mostMs) return ms;
  throw new InvalidArgumentError("Write a length with its unit from 100ms to 1m, such as '10s'.");
}

export function addCanary(program: Command, globals: Globals): void {
  program
    .command('canary')
    .description(
      'submit a synthetic task in each slot of 10 s and work it, until it is stopped; its counts are the objective api-availability',
    )
    .option('--queue <name>', 'the queue of the synthetic tasks, which is for them alone', canaryQueue)
    .addOption(
      new Option('--slot <length>', 'the length of a slot; the objective is defined for 10s')
        .argParser(parseSlot)
        .default(objectiveSlotMs, `${objectiveSlotMs / 1_000}s`),
    )
    .option(
      '--slots <n>',
      'end after this many slots, with status 1 if one of them was bad: a smoke test',
      wholeNumber(1, mostSlots),
    )
    .addOption(metricsPortOption())
    .addOption(metricsHostOption())
    .addOption(emfOption())
    .action(async ({ queue, slot: slotMs, slots, ...flags }) => {
      const { server, output } = globals();
      serverTarget(server);
      const { startCanary } = await import('./start-canary.ts');
      const canary = await startCanary({ server, queue, slotMs, slots, metrics: flags });
      // A caller may send the signal as soon as it has read the line below.
      const stopped = untilStopped(timing.serverStopMs);
      if (slots !== undefined) {
        const counts = await Promise.race([canary.ended, stopped.then(() => undefined)]);
        const status =
          counts === undefined ? exitCodes.interrupted : counts.bad > 0 ? exitCodes.failed : exitCodes.ok;
        process.exitCode = status;
        if (counts !== undefined)
          output.result(
            { queue, slots, ...counts },
            () => `canary: slots=${slots} good=${counts.good} bad=${counts.bad}`,
          );
        await canary.stop();
        endWithin(0, status);
        return;
      }
      output.result(
        { queue, slotMs, metricsPort: canary.metrics?.port, pid: process.pid },
        () =>
          `probing by queue ${queue}, one slot every ${slotMs / 1_000} s${metricsText(canary.metrics, flags)}`,
      );
      if (canary.metrics === undefined)
        output.note(
          'Without --metrics-port or --emf only bad slots are logged, and nothing can read the counts.',
        );
      await stopped;
      process.exitCode = exitCodes.ok;
      await canary.stop();
      endWithin(0);
    });
}
