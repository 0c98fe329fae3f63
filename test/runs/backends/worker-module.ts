/** The worker of `npm run test:backends`, which `holdfast worker` runs. Its handlers have a span and a log line of their own. */
import { trace } from '@opentelemetry/api';
import { defineWorker, handle } from '../../../src/index.ts';
import { bounce, frank, queue, send } from './contract.ts';

const tracer = trace.getTracer('handlers');

const sending = handle(send, ({ letter }, context) =>
  tracer.startActiveSpan('stamp', (span) => {
    try {
      context.log.info({ letter }, 'a letter is stamped');
      if (context.attempt === 1) throw new RangeError('the box has no stamps');
      return `letter ${letter}`;
    } finally {
      span.end();
    }
  }),
);
const bouncing = handle(bounce, (_, { attempt }) => {
  throw new RangeError(`no such street, attempt ${attempt}`);
});
const franking = handle(frank, ({ letter }) => `letter ${letter}`);

export default defineWorker({ queues: [queue], handlers: [sending, bouncing, franking] });
