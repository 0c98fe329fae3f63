#!/usr/bin/env node
import { nodeVersionError, printVersionError } from './node-version.ts';
import { ensureSmallYoungGeneration } from './young-generation.ts';

const argv = process.argv.slice(2);
const versionError = nodeVersionError(process.versions.node);
if (versionError === undefined) {
  ensureSmallYoungGeneration();
  // `program.ts` is imported only after these checks: a process that replaces itself does not need the file, and an old
  // version of Node cannot load it.
  const { run } = await import('./program.ts');
  process.exitCode = await run(argv);
} else {
  printVersionError(versionError, argv);
  process.exitCode = 2;
}
