/** Main program of a worker that is written with the SDK: it drains at SIGTERM and then ends. */
import { connect } from '../../../src/index.ts';
import worker from './worker-module.ts';

const client = connect();
const running = await client.work(worker);
process.once('SIGTERM', async () => {
  await running.drain({ timeout: '10s' });
  await client.close();
});
console.log(JSON.stringify({ pid: process.pid }));
await running.done;
