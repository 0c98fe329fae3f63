// Runs the clients of examples/ in other languages against a real server, as docs/other-languages.md describes them.
import { resolve } from 'node:path';
import { connect } from '../../../src/index.ts';
import { programOptions } from '../../fixtures/program-options.ts';
import { type PythonClient, pythonClient } from '../python/client.ts';
import { cases, holdfast, type Parts } from './cases.ts';
import { LineProcess, openLink } from './processes.ts';

programOptions('test:languages', {});
const main = resolve('src/cli/main.ts');
const folder = resolve('examples/python');

function installed(): PythonClient {
  try {
    return pythonClient();
  } catch (thrown) {
    console.error(`cannot run: ${thrown instanceof Error ? thrown.message : thrown}`);
    process.exit(1);
  }
}

async function run(): Promise<boolean> {
  const { python, environment } = installed();
  const ports = ['--port', '0', '--http-port', '0'];
  const args = [main, 'serve', '--json', '--plaintext', '--store', 'memory:', ...ports];
  const server = new LineProcess(process.execPath, args, { HOLDFAST_LOG: 'silent' });
  const [, port = ''] = await server.until(/"grpcPort":(\d+)/);
  const url = `holdfast+plaintext://127.0.0.1:${port}`;
  const link = await openLink(Number(port));
  const inPython = (file: string, at: string, ...more: readonly string[]): LineProcess =>
    new LineProcess(python, [resolve(folder, file), ...more], { ...environment, HOLDFAST_URL: at });
  const worker = inPython('main.py', `holdfast+plaintext://127.0.0.1:${link.port}`);
  const client = connect(url);
  const parts: Parts = {
    ...{ client, worker, link },
    submit: (...more) => inPython('submit.py', url, ...more),
    workers: () => holdfast(main, 'workers', '--json', '--url', url),
  };
  let passed = 0;
  for (const [sentence, prove] of Object.entries(cases)) {
    try {
      await prove(parts);
      passed++;
      console.log(`✓ ${sentence}`);
    } catch (thrown) {
      console.error(`✗ ${sentence}: ${thrown instanceof Error ? thrown.message : thrown}`);
    }
  }
  await client.close();
  worker.stop();
  link.close();
  server.stop();
  const count = Object.keys(cases).length;
  console.log(`languages: cases=${count} passed=${passed}`);
  return passed === count;
}

process.exitCode = (await run()) ? 0 : 1;
