import { expect, it } from 'vitest';
import { HoldfastError } from '../core/errors.ts';
import { connect } from './client.ts';
import { type Client, connect as connectWorker, defineTask, defineWorker, handle, typed } from './worker.ts';

const greet = defineTask('greet', { input: typed<string>() });
const worker = defineWorker({ handlers: [handle(greet, () => {})] });

async function errorOf(run: () => unknown): Promise<HoldfastError> {
  try {
    await run();
  } catch (thrown) {
    if (thrown instanceof HoldfastError) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

for (const url of ['file:./queue.db', 'memory:']) {
  it(`connect('${url}') of holdfast/client and holdfast/worker is refused at once and names the entry that opens it`, async () => {
    for (const open of [connect, connectWorker]) {
      const error = await errorOf(() => open(url));
      expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'BAD_CONFIGURATION' });
      expect(error.message).toContain(`'${url}'`);
      expect(error.help).toContain("import { connect } from 'holdfast'");
    }
  });
}

it('a client of holdfast/client refuses to work and names the entry that can', async () => {
  await using client = connect('holdfast+plaintext://127.0.0.1:1') as Client;
  const error = await errorOf(() => client.work(worker));
  expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', reason: 'BAD_CONFIGURATION' });
  expect(error.help).toContain('holdfast/worker');
});
