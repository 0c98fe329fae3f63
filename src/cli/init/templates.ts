/** The files that `holdfast init` writes: a task type, its worker, a program that submits, and a test of them. */
export const templates: Readonly<Record<string, string>> = {
  'contract.ts': `import { defineTask, typed } from 'holdfast';

/** The task type: the submitter and the worker both import it. */
export const greet = defineTask('greet', {
  input: typed<{ name: string }>(),
  output: typed<{ greeting: string }>(),
  idempotencyKey: ({ name }) => \`greet/\${name}\`,
});
`,
  'worker.ts': `import { defineWorker, handle } from 'holdfast';
import { greet } from './contract.ts';

export default defineWorker({
  handlers: [handle(greet, ({ name }) => ({ greeting: \`Hello, \${name}!\` }))],
});
`,
  'submit.ts': `import { connect } from 'holdfast';
import { greet } from './contract.ts';

await using holdfast = connect();
const task = await holdfast.submit(greet, { name: process.argv[2] ?? 'Ada' });
const { greeting } = await task.result({ timeout: '1m' });
console.log(\`\${task.id}\${task.deduplicated ? ' deduplicated' : ''}: \${greeting}\`);
`,
  'worker.test.ts': `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from 'holdfast';
import { greet } from './contract.ts';
import worker from './worker.ts';

test('a greeting has the name of its input', async () => {
  // The store is in the memory of this process: the test needs no server.
  await using holdfast = connect('memory:');
  await using _worker = await holdfast.work(worker);
  const task = await holdfast.submit(greet, { name: 'Ada' });
  assert.deepEqual(await task.result({ timeout: '10s' }), { greeting: 'Hello, Ada!' });
});
`,
};
