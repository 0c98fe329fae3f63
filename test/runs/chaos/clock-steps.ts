/**
 * Steps of the clocks of single processes, by libfaketime: a library that a process loads before it starts, and that reads
 * the offset of the process's clock from a file. The monotonic clock is not moved, as by a real step.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const roots = ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
const library = 'libfaketime.so.1';
/** libfaketime reads the file again after a second. */
const appliedMs = 2_200;
const checkMs = 60_000;
const checkLimitMs = 20_000;
const run = promisify(execFile);

function find(): string | undefined {
  const folders = roots
    .filter((root) => existsSync(root))
    .flatMap((root) => [
      root,
      ...readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => join(root, name)),
    ]);
  return folders.map((folder) => join(folder, 'faketime', library)).find((path) => existsSync(path));
}

function install(): void {
  if (process.getuid?.() !== 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], ['install', '--yes', '--no-install-recommends', 'libfaketime']])
    spawnSync('apt-get', ['--quiet', ...args], { stdio: 'ignore', env });
}

export class ClockSteps {
  readonly #library: string;
  readonly #folder: string;

  private constructor(path: string, folder: string) {
    this.#library = path;
    this.#folder = folder;
  }

  /**
   * Returns the steps of clocks, after a check with a real process that a step moves its clock and not its monotonic one,
   * or a sentence that says why there are none. Where libfaketime is missing, it is installed through apt if this process
   * may do so. `folder` is for the files of the offsets.
   */
  static async prepare(folder: string): Promise<ClockSteps | string> {
    if (find() === undefined) install();
    const path = find();
    if (path === undefined) return 'libfaketime is missing (on Debian: apt install libfaketime)';
    const steps = new ClockSteps(path, folder);
    const fault = await steps.#fault();
    return fault ?? steps;
  }

  #fileOf(name: string): string {
    return join(this.#folder, `clock-${name}`);
  }

  /** Returns the environment of a process whose clock can be stepped under this name. */
  environment(name: string): Readonly<Record<string, string>> {
    if (!existsSync(this.#fileOf(name))) this.set(name, 0);
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#fileOf(name),
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** Sets the offset of a process's clock. The process notices it within two seconds. */
  set(name: string, offsetMs: number): void {
    const seconds = offsetMs / 1_000;
    writeFileSync(this.#fileOf(name), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }

  /** Steps the clock of a process, and returns a sentence if it did not move as it should. */
  async #fault(): Promise<string | undefined> {
    const name = 'check';
    const program = `
      const { writeFileSync } = require('node:fs');
      const now = Date.now(), monotonicMs = performance.now();
      writeFileSync(process.env.FAKETIME_TIMESTAMP_FILE, '+${checkMs / 1_000}');
      setTimeout(() => console.log(Date.now() - now, performance.now() - monotonicMs), ${appliedMs});`;
    const env = { ...process.env, ...this.environment(name) };
    try {
      const { stdout } = await run(process.execPath, ['--eval', program], { env, timeout: checkLimitMs });
      const [clockMs = 0, monotonicMs = 0] = stdout.split(' ').map(Number);
      const isRight = clockMs >= checkMs + appliedMs && monotonicMs >= appliedMs && monotonicMs < checkMs;
      return isRight ? undefined : `libfaketime moved a clock by ${clockMs} ms, not by ${checkMs} ms`;
    } catch (thrown) {
      return `libfaketime does not work with this Node: ${(thrown as Error).message.split('\n')[0]}`;
    }
  }
}
