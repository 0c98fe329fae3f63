import { connect } from 'holdfast';
import { greet } from './contract.ts';

await using holdfast = connect();
const task = await holdfast.submit(greet, { name: 'Ada' });
const { greeting } = await task.result({ timeout: '1m' });
console.log(`${task.id}${task.deduplicated ? ' deduplicated' : ''}: ${greeting}`);
