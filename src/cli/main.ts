#!/usr/bin/env node
import { nodeVersionError, printVersionError } from './node-version.ts';
import { ensureSmallYoungGeneration } from './young-generation.ts';

const argv = process.argv.slice(2);
const versionError = nodeVersionError(process.versions.node);
if (versionError === undefined) {
  ensureSmallYoungGeneration();
  // The program is imported only here: a process that replaces itself does not need it, and an old Node could not load
  // it.
  const { run } = await import('./program.ts');
  process.exitCode = await run(argv);
} else {
  printVersionError(versionError, argv);
  process.exitCode = 2;
}
