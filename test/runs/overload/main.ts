/**
 * `npm run overload`: an API node, a worker that polls SQS itself and callers, each in a process, on a table whose
 * capacity is cut to a third for some seconds. Prints the counts of each second and the engines' log lines about load.
 * The exit status is 0 if no acknowledged task and no lease was lost, and if the system had recovered 30 s after the
 * cut.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { audit } from './audit.ts';
import { heldAt } from './contract.ts';
import { startOverloadStandIns } from './overload-stand-ins.ts';
import { Processes } from './processes.ts';
import { calibrate, drained, drainS, run } from './run.ts';
import { recoveredInS } from './timeline.ts';

const values = programOptions('overload', { rate: 500, seconds: 60, cut: 15, calibration: 10 });
/**
 * The offered share of the calibrated task rate. The remaining capacity is needed to catch up after the capacity cut.
 */
const share = 0.6;
const recoverWithinS = 30;
const { seconds, cut: cutS } = values;
const fromS = Math.floor((seconds - cutS) / 2.5);
const cut = { fromS, untilS: fromS + cutS };

let beganMs = performance.now();
const logLines: string[] = [];
const standIns = await startOverloadStandIns();
const processes = new Processes((role, message, fields) => {
  const { dependency: _, ...rest } = fields as { dependency?: string };
  const atS = ((performance.now() - beganMs) / 1_000).toFixed(1);
  logLines.push(`${atS.padStart(6)} ${role.padEnd(6)} ${message} ${JSON.stringify({ ...fields, ...rest })}`);
});
try {
  await processes.start(standIns.address);
  const carried = await calibrate(standIns, processes, values.calibration);
  const perS = Math.floor(Math.min(values.rate, share * carried.tasksPerS));
  const writeUnitsPerS = (perS / share) * carried.writeUnitsPerTask;
  console.log(
    `carried ${Math.round(carried.tasksPerS)} tasks/s for ${values.calibration} s, at ` +
      `${carried.writeUnitsPerTask.toFixed(2)} write units of the table each; offering ${perS} tasks/s for ${seconds} s ` +
      `(requested: ${values.rate}), of which about ${heldAt(perS)} run for 20 s at any time; the table carries ` +
      `${Math.round(writeUnitsPerS)} write units/s, but ${Math.round(writeUnitsPerS / 3)} from second ${cut.fromS} to ${cut.untilS}`,
  );
  logLines.length = 0;
  beganMs = performance.now();
  const timeline = await run(standIns, processes, { perS, seconds, cut, writeUnitsPerS, print: console.log });
  const allDone = await drained(processes, drainS);
  console.log(`the engines' logs:\n${logLines.join('\n')}`);
  const { lost, leasesLost, otherAttempts } = await audit(standIns.address, processes.ids);
  const recovered = recoveredInS(timeline, cut, perS);
  if (!allDone)
    console.log(`${processes.offered - processes.failed - processes.done} tasks were not done in time`);
  if (processes.failed > 0) console.log(`${processes.failed} submissions failed at their callers`);
  if (otherAttempts > 0) console.log(`${otherAttempts} attempts failed or were released`);
  const leases = Math.max(leasesLost, processes.leasesLost);
  console.log(
    `overload: acknowledged=${processes.acknowledged} lost=${lost} leasesLost=${leases} recoveredInS=${recovered ?? 'never'}`,
  );
  const ok = lost === 0 && leases === 0 && recovered !== undefined && recovered <= recoverWithinS;
  process.exitCode = ok && processes.acknowledged > 0 ? 0 : 1;
} finally {
  await processes.close();
  await standIns.close();
}
process.exit();
