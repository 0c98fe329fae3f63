/** One whole overload run: calibration, a steady load with a shortage in its midst, the drain, and the audit. */
import { audit } from './audit.ts';
import { heldAt } from './contract.ts';
import { type Shortage, startOverloadStandIns } from './overload-stand-ins.ts';
import { Processes } from './processes.ts';
import { calibrate, drained, drainS, run } from './run.ts';
import { recoveredInS, type Second } from './timeline.ts';

/**
 * The offered share of the calibrated task rate. The remaining capacity is needed to catch up after the capacity cut.
 */
const share = 0.6;
const recoverWithinS = 30;

export interface OverloadOptions {
  /** The most tasks that are offered in a second. */
  readonly rate: number;
  readonly seconds: number;
  /** The length of the shortage in seconds. */
  readonly cut: number;
  /** The length of the calibration in seconds. */
  readonly calibration: number;
  readonly shortage: Shortage;
}

export interface Overload {
  /** The rate that the machine carried, in tasks a second, and the rate that was offered. */
  readonly carriedPerS: number;
  readonly offeredPerS: number;
  readonly timeline: readonly Second[];
  /** The engines' log lines about load. */
  readonly logLines: readonly string[];
  readonly acknowledged: number;
  readonly lost: number;
  readonly leasesLost: number;
  readonly recoveredInS: number | undefined;
  /** True if nothing acknowledged and no lease was lost, and the system had recovered 30 s after the shortage. */
  readonly isGood: boolean;
}

/** Runs it. `print` gets the lines of the table; `onServing` gets the address of the API node. */
export async function measureOverload(
  options: OverloadOptions,
  print: (line: string) => void,
  onServing: (address: string) => void = () => {},
): Promise<Overload> {
  const { seconds, cut: cutS, shortage } = options;
  const fromS = Math.floor((seconds - cutS) / 2.5);
  const cut = { fromS, untilS: fromS + cutS };
  let beganMs = performance.now();
  const logLines: string[] = [];
  const standIns = await startOverloadStandIns();
  const processes = new Processes((role, message, fields) => {
    const { dependency: _, ...rest } = fields as { dependency?: string };
    const atS = ((performance.now() - beganMs) / 1_000).toFixed(1);
    logLines.push(
      `${atS.padStart(6)} ${role.padEnd(6)} ${message} ${JSON.stringify({ ...fields, ...rest })}`,
    );
  });
  try {
    await processes.start(standIns.address);
    const carried = await calibrate(standIns, processes, options.calibration);
    const perS = Math.floor(Math.min(options.rate, share * carried.tasksPerS));
    const writeUnitsPerS = (perS / share) * carried.writeUnitsPerTask;
    print(
      `carried ${Math.round(carried.tasksPerS)} tasks/s for ${options.calibration} s, at ` +
        `${carried.writeUnitsPerTask.toFixed(2)} write units of the table each; offering ${perS} tasks/s for ${seconds} s ` +
        `(requested: ${options.rate}), of which about ${heldAt(perS)} run for 20 s at any time; the table carries ` +
        `${Math.round(writeUnitsPerS)} write units/s; ${shortageText(shortage, writeUnitsPerS)} from second ${cut.fromS} to ${cut.untilS}`,
    );
    logLines.length = 0;
    beganMs = performance.now();
    onServing(processes.api);
    const timeline = await run(standIns, processes, { perS, seconds, cut, writeUnitsPerS, shortage, print });
    const allDone = await drained(processes, drainS);
    const { lost, leasesLost, otherAttempts } = await audit(standIns.address, processes.ids);
    const recovered = recoveredInS(timeline, cut, perS);
    if (!allDone)
      print(`${processes.offered - processes.failed - processes.done} tasks were not done in time`);
    if (processes.failed > 0) print(`${processes.failed} submissions failed at their callers`);
    if (otherAttempts > 0) print(`${otherAttempts} attempts failed or were released`);
    const leases = Math.max(leasesLost, processes.leasesLost);
    const isRecovered = recovered !== undefined && recovered <= recoverWithinS;
    return {
      ...{ carriedPerS: carried.tasksPerS, offeredPerS: perS, timeline, logLines },
      ...{ acknowledged: processes.acknowledged, lost, leasesLost: leases, recoveredInS: recovered },
      isGood: lost === 0 && leases === 0 && isRecovered && processes.acknowledged > 0,
    };
  } finally {
    await processes.close();
    await standIns.close();
  }
}

function shortageText(shortage: Shortage, writeUnitsPerS: number): string {
  if (shortage === 'table') return `only ${Math.round(writeUnitsPerS / 3)}`;
  return shortage === 'shard' ? 'one shard of the list index admits no write' : 'SQS admits 3 calls a second';
}
