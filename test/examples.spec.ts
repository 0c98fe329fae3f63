import { expect, it } from 'vitest';
import { greet } from '../examples/greet/contract.ts';
import worker from '../examples/greet/worker.ts';
import { connect } from '../src/index.ts';

it('the README’s first task: submitted, worked, answered; again, the same task; with another input, refused', async () => {
  await using holdfast = connect('memory:');
  await using running = await holdfast.work(worker);
  const task = await holdfast.submit(greet, { name: 'Ada' });
  expect(await task.result({ timeout: '10s' })).toEqual({ greeting: 'Hello, Ada!' });
  const again = await holdfast.submit(greet, { name: 'Ada' });
  expect(again).toMatchObject({ id: task.id, deduplicated: true });
  const other = holdfast.submit(greet, { name: 'Bob' }, { idempotencyKey: 'greet/Ada' });
  await expect(other).rejects.toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'KEY_REUSED',
    taskId: task.id,
  });
  await running.drain();
});
