import { connect } from 'holdfast';
import { greet } from './contract.ts';
import worker from './worker.ts';

// The store and the worker run in this process; there is no server.
await using holdfast = connect('file:./embedded.db');
await using _worker = await holdfast.work(worker);
const task = await holdfast.submit(greet, { name: 'Eve' });
const { greeting } = await task.result({ timeout: '1m' });
console.log(greeting);
