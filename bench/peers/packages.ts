/** Installs the packages of the peers into an ignored folder and loads them from there. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const cache: string = fileURLToPath(new URL('../../.cache/peers/', import.meta.url));

/** The newest versions when this file was last changed. They are no dependencies of Holdfast. */
const dependencies = {
  bullmq: '6.7.0',
  ioredis: '6.0.0',
  'graphile-worker': '0.18.0',
  'pg-boss': '12.38.0',
  pg: '8.23.1',
  amqplib: '2.3.1',
  '@nats-io/jetstream': '3.4.0',
  '@nats-io/transport-node': '3.4.0',
  bunqueue: '2.9.5',
  bun: '1.4.5',
} as const;

export type PackageName = keyof typeof dependencies;

/** Installs the packages once for each change of their versions. Returns one line about what failed. */
export function installPackages(): string | undefined {
  const wanted = JSON.stringify({ private: true, type: 'module', dependencies }, null, 2);
  const stamp = join(cache, 'installed.json');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return undefined;
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, 'package.json'), wanted);
  const args = ['install', '--no-audit', '--no-fund', '--no-save'];
  const { status, stderr } = spawnSync('npm', args, { cwd: cache, encoding: 'utf8', timeout: 300_000 });
  if (status !== 0) return `npm install failed in ${cache}: ${stderr.trim().split('\n')[0] ?? ''}`;
  writeFileSync(stamp, wanted);
  return undefined;
}

/** Loads a package of the peers. `Module` describes the part of it that is used. */
export async function load<Module>(name: PackageName): Promise<Module> {
  const path = createRequire(join(cache, 'package.json')).resolve(name);
  return (await import(pathToFileURL(path).href)) as Module;
}
