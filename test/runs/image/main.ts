/**
 * `npm run image:check`: executes the instructions of `deploy/image/Dockerfile` in folders, compares its packages with the lock
 * file, and runs the demo's scenario from the result as the containers of the image would run: not as root and without a
 * file system that can be written, on stand-ins of DynamoDB and SQS. Of the image only the base is missing: Node is that of
 * this checkout.
 */
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOnAws } from '../../../examples/demo/run-on-aws.ts';
import { type StartProcess, startAwsDeployment } from '../../fixtures/aws-deployment.ts';
import { programOptions } from '../../fixtures/program-options.ts';
import { Guard } from '../chaos/guard.ts';
import { serverGraceMs } from '../deploys/server.ts';
import { assemble } from './assemble.ts';
import { type ContainerProcess, Containers, confinement } from './container.ts';
import { BuildContext } from './context.ts';
import { parseDockerfile } from './dockerfile.ts';
import { filesIn, setMode } from './files.ts';
import { lockFaults, packagesIn } from './packages.ts';

programOptions('image:check', {});
const limitMs = 600_000;
setTimeout(() => {
  console.error(`the check did not end within ${limitMs / 1_000} s`);
  process.exit(1);
}, limitMs).unref();

const faults: string[] = [];
function check(isTrue: boolean, what: string): void {
  console.log(`${isTrue ? 'ok    ' : 'FAULT '} ${what}`);
  if (!isTrue) faults.push(what);
}

const repository = new URL('../../..', import.meta.url).pathname.replace(/\/$/, '');
const folder = mkdtempSync(join(tmpdir(), 'holdfast-image-'));
// The guard removes the folder also if this process is killed.
const guard = await Guard.start();
guard.send({ kind: 'folder', path: folder });
process.once('exit', () => {
  if (!existsSync(folder)) return;
  setMode(folder, (mode) => mode | 0o200);
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));

// The folder of the image must be readable for its user.
chmodSync(folder, 0o755);
const dockerfile = parseDockerfile(readFileSync(join(repository, 'deploy/image/Dockerfile'), 'utf8'));
const context = new BuildContext(repository);
const print = (line: string): void => console.log(`  ${line}`);
const image = await assemble({
  ...{ dockerfile, context, folder, print },
  // The base image is not used, so that any text stands for its digest.
  args: { NODE_DIGEST: 'the base image', VERSION: 'check', REVISION: 'check' },
});
const { config } = image;
const app = join(image.root, config.workdir);

const packages = packagesIn(app).filter(({ path }) => path !== 'node_modules/holdfast');
const wrong = lockFaults(packages, readFileSync(join(repository, 'package-lock.json'), 'utf8'));
for (const fault of wrong) console.log(`  ${fault}`);
check(wrong.length === 0, `${packages.length} packages are those of the lock file, for every platform`);
const has = (name: string): boolean => packages.some(({ path }) => path === `node_modules/${name}`);
check(
  has('@aws-sdk/client-dynamodb') && has('@aws-sdk/client-sqs'),
  'the clients of DynamoDB and SQS are there',
);
const others = [
  '@aws-sdk/client-cloudwatch',
  '@aws-sdk/client-ecs',
  '@aws-sdk/client-ecr',
  '@aws-sdk/client-ssm',
  'aws-cdk-lib',
  'typescript',
  'vitest',
];
check(!others.some(has), 'no client of deployments, no CDK and no development tool is there');
const { files, bytes, native } = filesIn(app);
console.log(`  the image adds ${(bytes / 1e6).toFixed(1)} MB in ${files} files to its base`);
check(native.length === 0, 'no file is for one platform only');

// A worker's image adds its module like this.
for (const file of ['worker.ts', 'contract.ts'])
  cpSync(join(repository, 'examples/demo', file), join(app, file));
const confined = confinement(config.user);
const containers = new Containers(image, confined);
setMode(image.root, (mode) => mode & ~0o222);
const before = filesIn(app).lines;
console.log(`processes: ${confined.text}`);

const writes = `for (const file of [${['/app', '/tmp', '/var/tmp', '/dev/shm'].map((at) => JSON.stringify(at === '/app' ? app : at)).join()}])
  try { require('node:fs').writeFileSync(file + '/holdfast-image-check', ''); console.log(file); } catch {}`;
const { out: written } = await containers.run(['node', '-e', writes]);
for (const place of written.split('\n').filter((line) => line !== ''))
  rmSync(join(place, 'holdfast-image-check'));
const mayWrite = confined.isReadOnly ? written !== '' : written.includes(app);
check(!mayWrite, `a process can write no file${confined.isReadOnly ? '' : ' of the image'}`);
const version = await containers.run([...config.entrypoint, 'version', '--json']);
check(version.code === 0, `${config.entrypoint.join(' ')} version: ${version.out.trim()}`);

const servers: ContainerProcess[] = [];
/** Containers get certificates as environment variables, since only root may read their files here. */
const start: StartProcess = async (args, env) => {
  const secrets: Record<string, string> = {};
  const asSecret = (name: string, file: string): string => {
    secrets[name] = readFileSync(file, 'utf8');
    return `env:${name}`;
  };
  const argv = args.map((arg, i) => {
    const flag = /^--(ca|cert|key)$/.exec(args[i - 1] ?? '')?.[1];
    return flag === undefined ? arg : asSecret(`CHECK_${flag.toUpperCase()}_PEM`, arg);
  });
  const given = Object.entries(env).map(([name, value]) => {
    const isFile = /^HOLDFAST_(CA|CERT|KEY)$/.test(name);
    return [name, isFile ? asSecret(`${name}_PEM`, value) : value] as const;
  });
  const started = await containers.start(argv, { ...Object.fromEntries(given), ...secrets });
  if (args[0] === 'serve') servers.push(started);
  return started;
};

const site = await startAwsDeployment({ queues: ['webhooks'], nodes: 2, start });
const isLinux = process.platform === 'linux';
// The demo kills the first node.
const server = servers.find(({ pid }) => pid === site.nodes[1]?.pid);
if (server === undefined) throw new Error('no server was started');
if (isLinux) {
  check(/\/node$/.test(server.program), `the process that was started is Node: ${server.program}`);
  const [uid] = server.statusOf('Uid').split(/\s+/);
  check(uid !== '0', `its user is ${uid}, its capabilities are ${server.statusOf('CapEff')}`);
}
const healthOf = async (one: ContainerProcess) => {
  const port = ['--http-port', String(one.startReport.httpPort)];
  return containers.run([...config.health, ...port]);
};
const healthy = await healthOf(server);
check(healthy.code === 0, `${config.health.join(' ')}: ${healthy.out.trim()}`);

const demo = await runOnAws(site, 'worker.ts', start);
check(demo.status === 0, 'the demo lost no task, doubled none and kept their order');
check(
  demo.workerStatuses.every((status) => status === 0),
  `${config.stopSignal} ended the workers with the statuses ${demo.workerStatuses.join(', ')}`,
);
const stopMs = performance.now();
const status = await server.end(config.stopSignal as NodeJS.Signals);
const tookMs = Math.round(performance.now() - stopMs);
check(
  status === 0 && tookMs <= serverGraceMs,
  `${config.stopSignal} ended the server after ${tookMs} ms with the status ${status}`,
);
const unhealthy = await healthOf(server);
check(
  unhealthy.code !== 0 && unhealthy.code !== null,
  `${config.health.join(' ')} then ends with ${unhealthy.code}`,
);
await site.stop();

const alone = ['serve', '--store', 'memory:', '--plaintext', '--port', '0', '--http-port', '0'];
const traced = await containers.start(alone, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' });
check((await traced.end('SIGTERM')) === 0, 'a server with an OTLP endpoint starts: its packages are there');
check(filesIn(app).lines.join('\n') === before.join('\n'), 'no file of the image was changed');

setMode(folder, (mode) => mode | 0o200);
await guard.close();
console.log(faults.length === 0 ? 'image: ok' : `image: ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
