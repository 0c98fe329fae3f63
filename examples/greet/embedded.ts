import { connect } from 'holdfast';
import { greet } from './contract.ts';
import worker from './worker.ts';

// Store, server and worker in this one process.
await using holdfast = connect('file:./embedded.db');
await using _worker = await holdfast.work(worker);
const task = await holdfast.submit(greet, { name: 'Eve' });
const { greeting } = await task.result({ timeout: '1m' });
console.log(greeting);
