#!/usr/bin/env node
import { endAtClosedPipe } from './closed-pipe.ts';
import { nodeVersionError, printVersionError } from './node-version.ts';
import { ensureSmallYoungGeneration } from './young-generation.ts';

/** The longest wait of a Node timer. */
const longestTimerMs = 2 ** 31 - 1;

const argv = process.argv.slice(2);
const versionError = nodeVersionError(process.versions.node);
if (versionError === undefined) {
  endAtClosedPipe(argv);
  ensureSmallYoungGeneration();
  // These files are imported only after the checks: a process that replaces itself does not need them, and an old
  // version of Node cannot load them.
  const [{ run }, { endWithVerb }] = await Promise.all([import('./program.ts'), import('./stop.ts')]);
  // A verb may wait for a timer of the clock, which keeps no process alive: Node.js would end the verb in the middle.
  const stayAlive = setInterval(() => {}, longestTimerMs);
  const status = await run(argv);
  // A verb that ends without an error may have set a status of its own: a canary with a bad slot has failed.
  if (status !== 0 || process.exitCode === undefined) process.exitCode = status;
  clearInterval(stayAlive);
  endWithVerb();
} else {
  printVersionError(versionError, argv);
  process.exitCode = 2;
}
