// Rewrites the package.json of the current folder to the packages of the image: the dependencies, and of the optional peers
// those that the server, workers and the canary load, at the exact versions of the development dependencies, which are those of
// the lock file. `npm ci` then refuses a package.json that does not fit the lock file.
import { readFileSync, writeFileSync } from 'node:fs';

/** The optional peers that only `holdfast deploy` and `holdfast/cdk` load, which run on an operator's machine. */
const notInImage: ReadonlySet<string> = new Set([
  '@aws-sdk/client-cloudwatch',
  '@aws-sdk/client-ecr',
  '@aws-sdk/client-ecs',
  '@aws-sdk/client-ssm',
  'aws-cdk-lib',
  'constructs',
]);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly engines: object;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

const { name, version, type, engines, dependencies, devDependencies, peerDependencies } = JSON.parse(
  readFileSync('package.json', 'utf8'),
) as Manifest;
const peers = Object.keys(peerDependencies).filter((peer) => !notInImage.has(peer));
const exact = peers.map((peer) => {
  const pinned = devDependencies[peer];
  if (pinned === undefined || !/^\d/.test(pinned))
    throw new Error(`devDependencies pins no version of ${peer}`);
  return [peer, pinned] as const;
});
const all = { ...dependencies, ...Object.fromEntries(exact) };
writeFileSync(
  'package.json',
  `${JSON.stringify({ name, version, type, engines, dependencies: all }, null, 2)}\n`,
);
