// Builds dist: empties it, compiles, and makes the command executable. A plain `tsc` would keep files of
// earlier builds and would not set the executable bit; in both cases the package would work on this machine
// and fail on others. The script also runs as the `prepare` script, because Node does not run `.ts` files
// below node_modules: an installed package needs dist.
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { packGrpc } from './pack-grpc.ts';
import { must } from './run.ts';

rmSync('dist', { recursive: true, force: true });
must('tsc', '-p', 'tsconfig.build.json');
await packGrpc();

const command = 'dist/cli/main.js';
if (existsSync(command)) chmodSync(command, 0o755);
