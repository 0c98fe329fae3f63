import { defineWorker, handle } from 'holdfast';
import { greet } from './contract.ts';

export default defineWorker({
  handlers: [handle(greet, ({ name }) => ({ greeting: `Hello, ${name}!` }))],
});
