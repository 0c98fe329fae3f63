// Starts a bundle in a new Node process, against a real server.
import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const startLimitMs = 30_000;

export interface ServerProcess {
  readonly url: string;
  stop(): void;
}

/** Starts `holdfast serve` of the packed package, without TLS on a free port of this machine. */
export async function startServer(folder: string): Promise<ServerProcess> {
  const main = join(folder, 'node_modules/holdfast/dist/cli/main.js');
  const args = ['serve', '--json', '--plaintext', '--store', 'memory:', '--port', '0', '--http-port', '0'];
  const server = spawn(process.execPath, [main, ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    if (!line.includes('grpcPort')) continue;
    const { grpcPort } = JSON.parse(line) as { grpcPort: number };
    server.stdout.resume();
    return { url: `holdfast+plaintext://127.0.0.1:${grpcPort}`, stop: () => void server.kill() };
  }
  throw new Error('holdfast serve ended without a word of its port');
}

/** The output of each program of the page. */
const expected: Readonly<Record<string, RegExp>> = {
  submit: /^accepted \S{8,}\n$/,
  work: /^result Hello Ada\n$/,
  embedded: /^result Hello Ada\nresult Hello Eve\n$/,
  handler: /^202 .*"deduplicated":false.*\n202 .*"deduplicated":true.*\n$/,
};

/** Starts a bundle and returns the ms until its end. Throws if it fails or prints something else than it should. */
export async function startBundle(
  program: string,
  output: string,
  way: string,
  url: string,
): Promise<number> {
  const args = program === 'handler' ? ['--input-type=module', '-e', invocations(output, way)] : [output];
  const env = { ...process.env, HOLDFAST_URL: url, QUEUE_FILE: `${way}.db`, HOLDFAST_LOG: 'warn' };
  const beganMs = performance.now();
  const { stdout, stderr } = await run(process.execPath, args, {
    cwd: join(output, '../..'),
    env,
    timeout: startLimitMs,
  });
  if (expected[program]?.test(stdout) !== true || stderr !== '')
    throw new Error(`${way}/${program} printed:\n${stdout}${stderr}`);
  return performance.now() - beganMs;
}

/** A program that loads a handler as Lambda does, and invokes it twice with one event. */
function invocations(output: string, way: string): string {
  const event = JSON.stringify({ id: `${way}-event`, name: 'Ada' });
  return `
    const loaded = await import(${JSON.stringify(pathToFileURL(output).href)});
    const handler = loaded.handler ?? loaded.default.handler;
    for (let i = 0; i < 2; i++) {
      const { statusCode, body } = await handler(${event});
      console.log(statusCode, body);
    }`;
}
