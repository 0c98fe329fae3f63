/**
 * Executes the instructions of the Dockerfile in folders: each stage is a folder that stands for the root of its file
 * system, and a path of the image is a path below it. The base image is the only part that is not there: Node and npm are
 * those of this machine.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { BuildContext } from './context.ts';
import { type Dockerfile, expand, type Instruction, type Stage } from './dockerfile.ts';

/** The settings of the image for the processes that are started from it. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly health: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly stopSignal: string;
}

export interface Image {
  /** The folder that stands for the root of the image's file system. */
  readonly root: string;
  readonly config: ImageConfig;
}

type MutableConfig = { -readonly [Field in keyof ImageConfig]: ImageConfig[Field] };

interface Options {
  readonly dockerfile: Dockerfile;
  readonly context: BuildContext;
  readonly folder: string;
  readonly args: Readonly<Record<string, string>>;
  readonly print: (line: string) => void;
}

/**
 * Returns the search path of a process of the image: its own folders are below `root`, and `/usr/local/bin`, where the base
 * image has Node and npm, becomes `ofBase`.
 */
export function searchPath(path: string | undefined, root: string, ofBase: readonly string[]): string {
  if (path === undefined) return ofBase.join(':');
  const folders = path.split(':').flatMap((folder) => {
    if (folder === '/usr/local/bin') return ofBase;
    return /^\/(usr|s?bin)\b/.test(folder) ? [] : [join(root, folder)];
  });
  return folders.join(':');
}

class Build {
  readonly #options: Options;
  readonly #roots = new Map<string, string>();

  constructor(options: Options) {
    this.#options = options;
  }

  async run(): Promise<Image> {
    const { dockerfile, args } = this.#options;
    let image: Image | undefined;
    for (const [i, stage] of dockerfile.stages.entries()) {
      expand(stage.base, Object.fromEntries(dockerfile.args.map((name) => [name, args[name]])));
      image = await this.#stage(stage, join(this.#options.folder, stage.name ?? `stage-${i}`));
    }
    if (image === undefined) throw new Error('the Dockerfile has no stage');
    return image;
  }

  async #stage({ name, instructions }: Stage, root: string): Promise<Image> {
    mkdirSync(root, { recursive: true });
    if (name !== undefined) this.#roots.set(name, root);
    const values: Record<string, string> = {};
    const env: Record<string, string> = {};
    const labels: Record<string, string> = {};
    const none: readonly string[] = [];
    const config: MutableConfig = {
      ...{ env, labels, entrypoint: none, health: none, user: 'root', workdir: '/', stopSignal: 'SIGTERM' },
    };
    for (const instruction of instructions) {
      if (instruction.kind === 'arg')
        values[instruction.name] = this.#options.args[instruction.name] ?? instruction.value ?? '';
      else if (instruction.kind === 'env') env[instruction.name] = expand(instruction.value, values);
      else if (instruction.kind === 'label') labels[instruction.name] = expand(instruction.value, values);
      else await this.#apply(instruction, root, config);
    }
    return { root, config };
  }

  async #apply(instruction: Instruction, root: string, config: MutableConfig): Promise<void> {
    switch (instruction.kind) {
      case 'workdir':
        config.workdir = resolve(config.workdir, instruction.value);
        mkdirSync(join(root, config.workdir), { recursive: true });
        break;
      case 'user':
        config.user = instruction.value;
        break;
      case 'stopsignal':
        config.stopSignal = instruction.value;
        break;
      case 'entrypoint':
        config.entrypoint = instruction.argv;
        break;
      case 'healthcheck':
        config.health = instruction.argv;
        break;
      case 'copy':
        this.#copy(instruction, root, config.workdir);
        break;
      case 'run':
        await this.#run(instruction.argv, root, config);
    }
  }

  #copy(
    { from, sources, target }: Extract<Instruction, { readonly kind: 'copy' }>,
    root: string,
    workdir: string,
  ): void {
    const isFolder = target.endsWith('/') || target === '.' || sources.length > 1;
    for (const source of sources) {
      const path = from === undefined ? this.#options.context.source(source) : this.#inStage(from, source);
      const into = join(root, resolve(workdir, target));
      const to = isFolder && !statSync(path).isDirectory() ? join(into, basename(source)) : into;
      mkdirSync(dirname(to), { recursive: true });
      const filter = (file: string): boolean => from !== undefined || this.#options.context.includes(file);
      cpSync(path, to, { recursive: true, verbatimSymlinks: true, filter });
    }
  }

  #inStage(name: string, path: string): string {
    const root = this.#roots.get(name);
    if (root === undefined) throw new Error(`COPY --from=${name}: there is no such stage before it`);
    return join(root, path);
  }

  async #run(argv: readonly string[], root: string, { env, workdir }: ImageConfig): Promise<void> {
    const beganMs = performance.now();
    const ownFolders = /node_modules\/\.bin$/;
    const ofBase = [
      dirname(process.execPath),
      ...(process.env.PATH ?? '').split(':').filter((folder) => !ownFolders.test(folder)),
    ];
    const PATH = searchPath(env.PATH, root, ofBase);
    // Variables of this npm script, such as the folder of its package, would lead a npm below it astray.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^npm_(package|lifecycle|command|execpath)/.test(name) && name !== 'INIT_CWD',
    );
    const [command = '', ...args] = argv;
    const child = spawn(command, args, {
      cwd: join(root, workdir),
      env: { ...Object.fromEntries(inherited), ...env, PATH },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const kill = (): void => void child.kill('SIGKILL');
    process.once('exit', kill);
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    process.off('exit', kill);
    if (code !== 0) throw new Error(`RUN ${argv.join(' ')} ended with ${code ?? signal}`);
    const s = ((performance.now() - beganMs) / 1_000).toFixed(1);
    this.#options.print(`RUN ${argv.join(' ')}: ${s} s`);
  }
}

/** Assembles the image. The last stage is the image. */
export function assemble(options: Options): Promise<Image> {
  return new Build(options).run();
}
