// `npm run rules` writes the rules of Prometheus. With `--runbooks <url>` the alerts link the runbooks below that URL,
// otherwise by their paths in this repository. With `--to <folder>` it writes into another folder than this one.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ruleFiles, standardOptions } from './files.ts';
import { runbookOf } from './runbooks.ts';

const { values } = parseArgs({
  options: { runbooks: { type: 'string' }, to: { type: 'string', default: '.' } },
});
const base = values.runbooks?.replace(/\/$/, '');
const runbook =
  base === undefined ? standardOptions.runbook : (alert: string): string => `${base}/${runbookOf(alert)}`;
for (const [path, text] of ruleFiles({ ...standardOptions, runbook })) {
  const file = join(values.to, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(file);
}
