#!/usr/bin/env node
import { tellTooOld, tooOld } from './node-version.ts';
import { ensureSmallNursery } from './young-generation.ts';

const argv = process.argv.slice(2);
const wrong = tooOld(process.versions.node);
if (wrong === undefined) {
  ensureSmallNursery();
  // Loaded after it, since a process that replaces itself needs none of it, and one on an old Node could not.
  const { run } = await import('./program.ts');
  process.exitCode = await run(argv);
} else {
  tellTooOld(wrong, argv);
  process.exitCode = 2;
}
