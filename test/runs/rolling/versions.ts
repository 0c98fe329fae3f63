/** The two versions of Holdfast that `npm run rolling` mixes: this tree, and the build before it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { checkOut } from '../../../bench/checkout.ts';

/** The commit that is run as the earlier version while the repository has no tag of a release. */
export const firstPrevious = '398578f5866acb58fc43d132c90b24819d3b7264';

export type VersionName = 'old' | 'new';

export interface Version {
  readonly name: VersionName;
  /** The folder of its repository, installed. */
  readonly folder: string;
}

const repository = new URL('../../..', import.meta.url).pathname;

/** The folders of the programs that submit and work in a run. */
const programs = ['chaos', 'deploys'] as const;

/** Returns the newest release before this commit: its tag, or `firstPrevious` if there is none. */
export function previousRelease(): string {
  const args = ['tag', '--list', 'v*', '--merged', 'HEAD~1', '--sort=-version:refname'];
  const tags = execFileSync('git', args, { cwd: repository, encoding: 'utf8' });
  return tags.split('\n').find((tag) => /^v\d+\.\d+\.\d+$/.test(tag)) ?? firstPrevious;
}

export const thisVersion: Version = { name: 'new', folder: repository };

/** Returns true if this clone has the commit. A shallow clone lacks older ones. */
export function hasCommit(ref: string): boolean {
  const args = ['rev-parse', '--quiet', '--verify', `${ref}^{commit}`];
  return spawnSync('git', args, { cwd: repository }).status === 0;
}

/**
 * Checks the build before this one out and installs it. The programs of the run are copied into it, so that both versions
 * submit and work the same, each by the SDK of its own version.
 */
export async function previousVersion(ref: string): Promise<Version> {
  const folder = await checkOut(ref);
  for (const name of programs)
    cpSync(join(repository, 'test/runs', name), join(folder, 'test/runs', name), { recursive: true });
  return { name: 'old', folder };
}

/** The command `holdfast` of a version. */
export function commandOf({ folder }: Version): string {
  return join(folder, 'src/cli/main.ts');
}

/** A program of the run, by the SDK of a version. */
export function programOf({ folder }: Version, file: string): string {
  return join(folder, 'test/runs/chaos', file);
}
