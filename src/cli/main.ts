#!/usr/bin/env node
import { ensureSmallNursery } from './nursery.ts';

ensureSmallNursery();
// Loaded after it, since a process that replaces itself needs none of it.
const { run } = await import('./program.ts');
process.exitCode = await run(process.argv.slice(2));
