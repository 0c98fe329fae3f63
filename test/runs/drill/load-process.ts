/** Main program of the load of the drill: it submits some tasks of each type in a second, until it is stopped. */
import { connect } from '../../../src/index.ts';
import { book, charge, letterMs, perS, send } from './contract.ts';

/** A message of the run: from now on orders have so many pages. */
export interface LoadMessage {
  readonly pages: number;
}

const accounts = 5;
const client = connect();
let pages = 1;
process.on('message', (message: LoadMessage) => {
  pages = message.pages;
});
// A refused submission is what the drill is about, and the canary counts it.
const ignore = (): void => {};
for (let i = 0; ; i++) {
  client.submit(charge, { order: i, pages }).catch(ignore);
  client.submit(send, { letter: i }, { deadline: new Date(Date.now() + letterMs) }).catch(ignore);
  client.submit(book, { account: `account-${i % accounts}`, cents: 100 + i }).catch(ignore);
  if (i === 0) console.log(JSON.stringify({ pid: process.pid }));
  await new Promise((resolve) => setTimeout(resolve, 1_000 / perS));
}
