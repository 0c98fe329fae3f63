#!/usr/bin/env node
import { nodeVersionError, printVersionError } from './node-version.ts';
import { ensureSmallYoungGeneration } from './young-generation.ts';

const argv = process.argv.slice(2);
const versionError = nodeVersionError(process.versions.node);
if (versionError === undefined) {
  ensureSmallYoungGeneration();
  // These files are imported only after the checks: a process that replaces itself does not need them, and an old
  // version of Node cannot load them.
  const [{ run }, { endWithVerb }] = await Promise.all([import('./program.ts'), import('./stop.ts')]);
  process.exitCode = await run(argv);
  endWithVerb();
} else {
  printVersionError(versionError, argv);
  process.exitCode = 2;
}
