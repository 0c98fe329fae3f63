// Builds dist. A plain `tsc` never deletes what an earlier build left behind and never sets the executable bit,
// and either one ends in a package that works here and not elsewhere; so this empties dist first, compiles, and
// marks the command as executable. It also runs as `prepare`: `.ts` files below node_modules cannot be stripped
// by Node, hence an installed package (and `npx holdfast` in a fresh clone) needs dist.
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { must } from './run.ts';

rmSync('dist', { recursive: true, force: true });
must('tsc', '-p', 'tsconfig.build.json');

const command = 'dist/cli/main.js';
if (existsSync(command)) chmodSync(command, 0o755);
