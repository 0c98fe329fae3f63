/**
 * `npm run capacity -- --rate 500` prints what a load needs on AWS, what it costs in a month at list prices, and which limit it meets
 * first. `--json` prints one object. It computes from the measured costs of a task and calls nothing.
 */
import { programOptions } from '../../test/fixtures/program-options.ts';
import { capacityOf } from './capacity.ts';
import { reportOf } from './report.ts';
import { defaultWorkload, faultOf, type Workload } from './workload.ts';

const { json, ...given } = programOptions('capacity', {
  rate: Number.NaN,
  ...defaultWorkload,
  ordered: false,
  json: false,
});
const fault = faultOf(given);
if (fault !== undefined) {
  console.error(fault);
  process.exit(2);
}
const capacity = capacityOf(given as Workload);
console.log(json ? JSON.stringify(capacity) : reportOf(capacity));
