// Builds the bundles: each command of the page for each program, and webpack by its configuration of the page.
import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import webpack from 'webpack';
import { bunProgram } from './bun.ts';

const run = promisify(execFile);

export interface Build {
  readonly program: string;
  /** The name of the way: the folder of its output. */
  readonly way: string;
  /** The file to start. */
  readonly output: string;
  build(): Promise<void>;
}

/** Returns a build for each command and each program. Rollup builds all programs in one run, since it reads grpc-js for seconds. */
export function buildsOf(folder: string, commands: readonly string[], programs: readonly string[]): Build[] {
  return commands.flatMap((command) => {
    const all = programs.map((program) => `${program}.mjs`).join(' ');
    const together = command.startsWith('rollup ')
      ? once(() => runCommand(folder, command.replace('submit.mjs', all)))
      : undefined;
    return programs.map((program) => commandBuild(folder, command, program, together));
  });
}

function commandBuild(
  folder: string,
  command: string,
  program: string,
  together?: () => Promise<void>,
): Build {
  const way = /out\/([\w-]+)/.exec(command)?.[1] ?? '';
  const extension = command.includes('cjs') ? 'cjs' : 'mjs';
  const build = (): Promise<void> => runCommand(folder, command.replaceAll('submit', program));
  return {
    program,
    way,
    output: join(folder, 'out', way, `${program}.${extension}`),
    build: together ?? build,
  };
}

async function runCommand(folder: string, command: string): Promise<void> {
  const [tool = '', ...args] = command.split(' ');
  const path = tool === 'bun' ? bunProgram() : resolve('node_modules/.bin', tool);
  await run(path, args, { cwd: folder });
}

function once(build: () => Promise<void>): () => Promise<void> {
  let building: Promise<void> | undefined;
  return () => {
    building ??= build();
    return building;
  };
}

/** Returns the builds by webpack's configuration of the page. It builds all programs in one run, since its start takes seconds. */
export function webpackBuilds(folder: string, programs: readonly string[]): Build[] {
  const entry = Object.fromEntries(programs.map((program) => [program, `./${program}.mjs`]));
  const path = join(folder, 'out/webpack');
  const build = once(async () => {
    const config = (await import(pathToFileURL(join(folder, 'webpack.config.mjs')).href)).default;
    await runWebpack({ ...config, context: folder, entry, output: { ...config.output, path } });
  });
  return programs.map((program) => ({
    program,
    way: 'webpack',
    output: join(path, `${program}.cjs`),
    build,
  }));
}

function runWebpack(config: webpack.Configuration): Promise<void> {
  return new Promise((done, failed) => {
    webpack(config, (error, stats) => {
      if (error) failed(error);
      else if (stats?.hasErrors() || stats?.hasWarnings())
        failed(new Error(stats.toString({ all: false, errors: true, warnings: true })));
      else done();
    });
  });
}
