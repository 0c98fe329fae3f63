import { defineWorker, FatalError, handle } from '../../../../src/index.ts';
import { book, charge } from './contract.ts';

const charging = handle(charge, ({ order }, { attempt, log }) => {
  log.warn({ order }, 'the card terminal does not answer');
  throw new RangeError(`no terminal for order ${order}, attempt ${attempt}`);
});
const booking = handle(book, ({ cents }) => {
  if (cents === 0) throw new FatalError('a booking of nothing');
});

export default defineWorker({ handlers: [charging, booking] });
