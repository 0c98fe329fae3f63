/**
 * Processes of the assembled image, confined as its containers are: another user than root without capabilities, a root file
 * system that is read-only, and no environment but that of the image.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Image, searchPath } from './assemble.ts';

/** Kinds of file systems of the kernel, to which no file can be written. */
const kernelKinds: ReadonlySet<string> = new Set([
  'proc',
  'sysfs',
  'cgroup',
  'cgroup2',
  'devpts',
  'devtmpfs',
  'mqueue',
  'securityfs',
  'debugfs',
  'tracefs',
  'bpf',
]);

/** Returns the places at which this machine has mounted file systems that can be written. */
function writableMounts(): string[] {
  const lines = readFileSync('/proc/self/mounts', 'utf8').trim().split('\n');
  const mounts = lines
    .map((line) => line.split(' '))
    .filter(([, , kind = '', flags = '']) => {
      return !kernelKinds.has(kind) && flags.split(',').includes('rw');
    });
  return [...new Set(mounts.map(([, place = '']) => place))];
}

/** Makes every mounted file system read-only in a name space of its own, drops all rights, and becomes the command. */
const confine = `
set -e
uid="$1"; shift
mount --make-rprivate /
for place in $HOLDFAST_READ_ONLY; do mount -o remount,ro,bind "$place"; done
unset HOLDFAST_READ_ONLY
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \\
  --pdeathsig KILL -- "$@"
`;

/** How the processes are confined on this machine. */
export interface Confinement {
  /** A sentence for the reader. */
  readonly text: string;
  /** True if no file system can be written. */
  readonly isReadOnly: boolean;
  readonly prefix: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Returns the confinement that this machine can do. Root on Linux gets a read-only root file system and the image's user;
 * everybody else stays the user that he is, with a tree without permission to write.
 */
export function confinement(user: string): Confinement {
  const [uid = '1000'] = user.split(':');
  const works = (prefix: readonly string[], env: Readonly<Record<string, string>>): boolean => {
    const [command = '', ...args] = [...prefix, 'true'];
    return spawnSync(command, args, { env: { PATH: process.env.PATH, ...env } }).status === 0;
  };
  if (process.getuid?.() === 0 && process.platform === 'linux') {
    const env = { HOLDFAST_READ_ONLY: writableMounts().join(' ') };
    const prefix = ['unshare', '--mount', '--', '/bin/sh', '-c', confine, 'confine', uid];
    const text = `uid ${uid} without capabilities, every file system is mounted read-only`;
    if (works(prefix, env)) return { text, isReadOnly: true, prefix, env };
    throw new Error('root cannot confine a process here: unshare, mount and setpriv (util-linux) are needed');
  }
  const tied = ['setpriv', '--pdeathsig', 'KILL', '--'];
  const text = `uid ${process.getuid?.()}, in a tree without permission to write`;
  return { text, isReadOnly: false, prefix: works(tied, {}) ? tied : [], env: {} };
}

/** A process of the image. */
export class ContainerProcess {
  readonly #child: ChildProcess;
  /** The JSON object in the first line of the output. */
  startReport: Readonly<Record<string, unknown>> = {};
  readonly #ended: Promise<void>;
  /** The lines of the log, as far as they were written. */
  log = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit').then(() => {});
    child.stderr?.on('data', (part: Buffer) => {
      this.log += part.toString();
    });
  }

  async untilReady(): Promise<this> {
    const stdout = this.#child.stdout as NodeJS.ReadableStream;
    const first = await Promise.race([once(stdout, 'data'), this.#ended.then(() => undefined)]);
    if (first === undefined)
      throw new Error(`a process of the image ended with ${this.#child.exitCode}: ${this.log}`);
    this.startReport = JSON.parse(String(first[0])) as Record<string, unknown>;
    return this;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The file that the process runs, such as that of Node. Linux only. */
  get program(): string {
    return readlinkSync(`/proc/${this.pid}/exe`);
  }

  /** Returns a field of the process's status, such as `Uid`. Linux only. */
  statusOf(field: string): string {
    const line = new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(
      readFileSync(`/proc/${this.pid}/status`, 'utf8'),
    );
    return line?.[1] ?? '';
  }

  /** Sends a signal to the process that was started first, as a container runtime does. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.isRunning) this.#child.kill(signal);
    await this.#ended;
    return this.#child.exitCode;
  }
}

export interface Finished {
  readonly code: number | null;
  readonly out: string;
}

export class Containers {
  readonly #image: Image;
  readonly #confinement: Confinement;
  readonly #running = new Set<ChildProcess>();

  constructor(image: Image, confinement: Confinement) {
    this.#image = image;
    this.#confinement = confinement;
    // The base image's Node, as a file of its own: the one of this checkout may be in a folder that only its owner reads.
    const folder = join(image.root, 'usr/local/bin');
    mkdirSync(folder, { recursive: true });
    cpSync(process.execPath, join(folder, 'node'));
    chmodSync(join(folder, 'node'), 0o555);
    process.once('exit', () => {
      for (const child of this.#running) child.kill('SIGKILL');
    });
  }

  #spawn(
    argv: readonly string[],
    env: Readonly<Record<string, string>>,
    stderr: 'pipe' | 'ignore',
  ): ChildProcess {
    const { root, config } = this.#image;
    const ofBase = [join(root, 'usr/local/bin'), '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
    const PATH = searchPath(config.env.PATH, root, ofBase);
    const [command = '', ...args] = [...this.#confinement.prefix, ...argv];
    const child = spawn(command, args, {
      cwd: join(root, config.workdir),
      env: { HOME: '/nonexistent', ...config.env, PATH, ...this.#confinement.env, ...env },
      stdio: ['ignore', 'pipe', stderr],
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    return child;
  }

  /** Starts the entry point, as a container's command. Resolves with its first line of output. */
  start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<ContainerProcess> {
    const argv = [...this.#image.config.entrypoint, ...args, '--json'];
    return new ContainerProcess(this.#spawn(argv, env, 'pipe')).untilReady();
  }

  /** Runs a command in a container until it ends. */
  async run(argv: readonly string[]): Promise<Finished> {
    const child = this.#spawn(argv, {}, 'ignore');
    const [out, [code]] = await Promise.all([
      text(child.stdout as NodeJS.ReadableStream),
      once(child, 'close'),
    ]);
    return { code: code as number | null, out };
  }
}
