/** The worker of `npm run test:telemetry`, which `holdfast worker` runs. Its handlers have a span and a log line of their own. */
import { trace } from '@opentelemetry/api';
import { defineWorker, handle } from '../../../src/index.ts';
import { queue, render } from './contract.ts';

const handler = handle(render, ({ document }, context) => {
  return trace.getTracer('handlers').startActiveSpan('draw', (span) => {
    try {
      context.log.info({ document }, 'a page is drawn');
      if (context.attempt === 1) throw new RangeError('the printer has no paper');
      return `page ${document}`;
    } finally {
      span.end();
    }
  });
});

export default defineWorker({ queues: [queue], handlers: [handler] });
