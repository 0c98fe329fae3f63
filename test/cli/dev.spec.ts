/** Tests `holdfast dev`: its start, its restarts at each save, and its messages. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { otlpReceiver } from '../fixtures/otlp-receiver.ts';
import { dev, free, greet, greets, project, save, start, worker } from './command-server.ts';

it('holdfast dev makes certificates, serves, runs the worker, writes the profile that submit finds, and ends in order', async () => {
  const cwd = project(greets);
  const running = dev(cwd, 'worker.ts');
  await running.until(/^holdfast is ready: gRPC on 127\.0\.0\.1:\d+, HTTP on 127\.0\.0\.1:\d+\n/);
  await running.until(/working on greet \(queue default/);
  await running.until(/npx holdfast submit greet .*--wait/);
  expect(await greet(cwd, 'Ada', '--wait')).toBe('{"greeting":"Hello, Ada!"}\n');
  expect(statSync(join(cwd, '.holdfast/certs/ca.key')).mode & 0o077).toBe(0);
  expect(readFileSync(join(cwd, '.holdfast/.gitignore'), 'utf8')).toBe('*\n');
  running.signal('SIGINT');
  expect(await running.exit).toBe(0);
  expect(existsSync(join(cwd, '.holdfast/queue.db.pid'))).toBe(false);
});

it('holdfast dev exports the attempts of its worker and the metrics of its server to a collector', async () => {
  await using receiver = await otlpReceiver();
  const cwd = project(greets);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
  const running = start(['dev', 'worker.ts', ...free], { cwd, env });
  await running.until(/working on greet/);
  await greet(cwd, 'Ada', '--wait');
  running.signal('SIGINT');
  expect(await running.exit).toBe(0);
  const services = receiver.spans.map(({ name, resource }) => [name, resource['service.name']]);
  expect(services).toContainEqual(['process default', 'holdfast-worker']);
  const counted = receiver.metrics.find(({ resource }) => resource['service.name'] === 'holdfast-server');
  expect(counted?.metrics.map(({ name }) => name)).toContain('holdfast.task.ended');
});

it('holdfast dev restarts the worker when an imported file is saved, and waits for the next save if loading fails', async () => {
  const cwd = project({
    ...greets,
    'worker.ts': worker("' + word + '").replace(
      'import { greet',
      "import { word } from './word.js';\nimport { greet",
    ),
    'word.js': "export const word = 'Hello';",
  });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  save(cwd, 'word.js', "export const word = 'Ahoy';");
  await running.until(/word\.js changed/);
  await running.until(/working on greet/);
  expect(await greet(cwd, 'Bob', '--wait')).toBe('{"greeting":"Ahoy, Bob!"}\n');

  save(cwd, 'word.js', 'export const good = 1;\nexport const = 2;');
  await running.until(
    /error: The worker worker\.ts cannot be loaded: Unexpected token '='\n +word\.js:2\n +export const = 2;\n/,
  );
  await running.until(/Waiting for the next save/);
  save(cwd, 'word.js', "export const word = '';\nthrow new Error('not today');");
  await running.until(/cannot be loaded: not today\n +at .*word\.js:2:7/);
  save(cwd, 'word.js', "export const word = 'Hi';");
  await running.until(/working on greet/);
  expect(await greet(cwd, 'Cy', '--wait')).toBe('{"greeting":"Hi, Cy!"}\n');
});

it('holdfast dev lets a running handler finish before it restarts the worker', async () => {
  const slow = "console.log('begun'); await new Promise((r) => setTimeout(r, 800));";
  const cwd = project({ ...greets, 'worker.ts': worker('Slow', slow) });
  const running = dev(cwd, 'worker.ts');
  await running.until(/working on greet/);
  const waiting = greet(cwd, 'Ada', '--wait');
  await running.until(/begun/);
  save(cwd, 'worker.ts', worker('Quick'));
  await running.until(/worker\.ts changed/);
  expect(await waiting).toBe('{"greeting":"Slow, Ada!"}\n');
  await running.until(/working on greet/);
});

it('holdfast dev says how to export the worker of a module, and starts the worker once it is exported', async () => {
  const named = worker('Hello').replace('export default', 'export const mine =');
  const cwd = project({ ...greets, 'worker.ts': named });
  const running = dev(cwd, 'worker.ts');
  await running.until(/error: worker\.ts has no worker as its default export\.\n.*`export default mine`/);
  save(cwd, 'worker.ts', worker('Hello'));
  await running.until(/working on greet/);
});

it('holdfast dev warns of a module that awaits its own task while it loads, and starts the worker without that await', async () => {
  const waits = `
import { connect } from 'holdfast';
await using holdfast = connect();
await (await holdfast.submit(greet, { name: 'Ada' })).result();`;
  const cwd = project({ ...greets, 'worker.ts': worker('Hello') + waits });
  const running = dev(cwd, 'worker.ts');
  await running.until(/^worker\.ts is still loading after 5 s, .*in another program\.\n/m);
  save(cwd, 'worker.ts', worker('Hello'));
  await running.until(/working on greet/);
});

it('holdfast dev without a worker says how to run one; a second one in the same folder or on the same port is refused with advice', async () => {
  const cwd = project(greets);
  const running = start(['dev', '--json', ...free], { cwd });
  await running.until(/\n/);
  const ready = JSON.parse(running.out) as { grpcPort: number; profile: string };
  expect(ready.profile).toBe(join(cwd, '.holdfast/profile.json'));
  const second = dev(cwd, 'worker.ts');
  expect(await second.exit).toBe(4);
  expect(second.err).toMatch(
    /^error: A holdfast already runs in this folder \(process \d+\)\.\n {2}Use that one \(npx holdfast worker worker\.ts\), or stop it first/,
  );
  const samePort = start(['dev', '--port', String(ready.grpcPort), '--dir', 'other'], { cwd });
  expect(await samePort.exit).toBe(4);
  expect(samePort.err).toMatch(/^error: The port \d+ of 127\.0\.0\.1 is in use\.\n.*--port 0 --http-port 0/);
  running.signal('SIGTERM');
  expect(await running.exit).toBe(0);
  expect(running.err).toBe('');
  const alone = dev(cwd);
  await alone.until(/No worker runs here.*npx holdfast dev <worker\.ts>/);
});

it('holdfast dev --dir keeps the store in another folder, and writes the profile where connect() finds it', async () => {
  const cwd = project(greets);
  const running = dev(cwd, 'worker.ts', '--dir', 'kept/here', '--json');
  await running.until(/working on greet/);
  expect(existsSync(join(cwd, 'kept/here/queue.db'))).toBe(true);
  expect(await greet(cwd, 'Ada', '--wait')).toBe('{"greeting":"Hello, Ada!"}\n');
});
