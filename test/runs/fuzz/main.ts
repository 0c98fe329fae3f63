/**
 * `npm run fuzz`: random and mutated messages on every rpc, stream and HTTP path of real servers, by a client of our own
 * and by one in Python, as five identities. Beside them another identity works through canary tasks. The exit status is
 * 0 if nothing crashed: no server ended, no error without a documented code and reason, no wrong probe.
 */
import { programOptions } from '../../fixtures/program-options.ts';
import type { EngineName } from './deployment.ts';
import { fuzz, type RunResult } from './run.ts';

const values = programOptions('fuzz', {
  seconds: 180,
  seed: 1,
  /** The engine to run; without it SQLite has three quarters of the time, AWS on stand-ins the rest. */
  engine: '',
  /** The only case to send. */
  case: Number.NaN,
});
const shares: Readonly<Record<EngineName, number>> = { sqlite: 0.75, aws: 0.25 };
/** The time beyond its own after which a run that hangs is given up. */
const overtimeS = 180;

if (values.engine !== '' && !Object.hasOwn(shares, values.engine)) {
  console.error(`'--engine' takes one of ${Object.keys(shares).join(', ')}, not '${values.engine}'`);
  process.exit(2);
}
const isOne = !Number.isNaN(values.case);
const chosen = (values.engine || (isOne ? 'sqlite' : '')) as EngineName | '';
const engines = chosen === '' ? (Object.keys(shares) as EngineName[]) : [chosen];

const watchdog = setTimeout(
  () => {
    console.error(`the run did not end within ${values.seconds + overtimeS} s`);
    // All processes of the run end with this one.
    process.exit(1);
  },
  (values.seconds + overtimeS) * 1_000,
);
const results: RunResult[] = [];
for (const engine of engines) {
  const seconds = Math.ceil(values.seconds * (chosen === '' ? shares[engine] : 1));
  results.push(await fuzz({ engine, seconds, seed: values.seed, onlyCase: values.case, print: console.log }));
}
clearTimeout(watchdog);
const sum = (key: 'messages' | 'crashes'): number =>
  results.reduce((total, result) => total + result[key], 0);
const most = (key: 'slowestProbeMs' | 'peakMb'): number => Math.max(...results.map((result) => result[key]));
console.log(
  `fuzz: messages=${sum('messages')} crashes=${sum('crashes')} slowestProbeMs=${most('slowestProbeMs')} peakMb=${most('peakMb')}`,
);
process.exit(sum('crashes') === 0 && sum('messages') > 0 ? 0 : 1);
