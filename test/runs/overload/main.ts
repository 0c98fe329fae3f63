/**
 * `npm run overload`: an API node, a worker that polls SQS itself and callers, each in a process, on a table whose
 * capacity is cut to a third for some seconds. Prints the counts of each second and the engines' log lines about load.
 * The exit status is 0 if no acknowledged task and no lease was lost, and if the system had recovered 30 s after the
 * cut.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import { measureOverload } from './measure.ts';

const values = programOptions('overload', { rate: 500, seconds: 60, cut: 15, calibration: 10 });
const overload = await measureOverload({ ...values, shortage: 'table' }, (line) => console.log(line));
console.log(`the engines' logs:\n${overload.logLines.join('\n')}`);
const { acknowledged, lost, leasesLost, recoveredInS, isGood } = overload;
console.log(
  `overload: acknowledged=${acknowledged} lost=${lost} leasesLost=${leasesLost} recoveredInS=${recoveredInS ?? 'never'}`,
);
process.exit(isGood ? 0 : 1);
